# SPDX-License-Identifier: MIT
"""Where things are."""

import os
import shutil

from errors import Failure

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APPS = os.path.join(REPOSITORY, "bench", "apps")
PYTHON = "/usr/bin/python3"
TRUE = "/bin/true"


def build_directory():
    build = os.environ.get("WARM_BUILD")
    if not build:
        warmd = shutil.which("warmd")
        beside = os.path.dirname(warmd) if warmd else ""
        built = warmd and os.path.isfile(os.path.join(beside, "bench", "spawnbench"))
        build = beside if built else os.path.join(REPOSITORY, "build")
    if not os.path.isfile(os.path.join(build, "bench", "spawnbench")):
        raise Failure(f"{build} has no bench/spawnbench: run `make` first")
    return os.path.abspath(build)
