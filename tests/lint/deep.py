#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""clang-tidy and cppcheck over all C but the generated, two files at a time; proves first that each can fail."""
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from sources import ROOT, files

BUILD = os.environ.get("WARM_BUILD", os.path.join(ROOT, "build"))
HERE = os.path.dirname(os.path.abspath(__file__))


def foreign():
    """Where the headers of other runtimes are: folder of ours → flags, or None where the machine has not got them."""
    javac, node = shutil.which("javac"), shutil.which("node")
    jdk = os.path.dirname(os.path.dirname(os.path.realpath(javac))) if javac else ""
    nodes = [os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(node))), "include/node")] if node else []
    found = [path for path in [*nodes, "/usr/include/node"] if os.path.exists(os.path.join(path, "node_api.h"))]
    return {"sdk/java/": [f"-I{BUILD}/gen/java", "-isystem", f"{jdk}/include", "-isystem", f"{jdk}/include/linux"] if jdk else None,
            "sdk/node/": ["-isystem", found[0]] if found else None}


FOREIGN = foreign()
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", f"-I{ROOT}", f"-I{BUILD}/gen", '-DWARM_VERSION="0"']
WRONG = """#include <stdlib.h>
int f(int n);
int f(int n)
{
	int *p = malloc(4 * sizeof *p);
	int room[4];

	if (!p)
		return 0;
	free(p);
	room[4] = n;
	if (n == 7)
		p = NULL;
	return *p + room[4];
}
"""


# Raw system calls are assembly, which the analyzer does not look into: what they fill is "uninitialized" to it,
# and a variable that is a register for one of them is no statement.
FREESTANDING = ("sdk/cli/hot/", "restore/init/", "restore/restorer/", "warmd/spawn/")
BLIND = "-clang-analyzer-core.UndefinedBinaryOperatorResult,-clang-analyzer-core.uninitialized.*,-clang-analyzer-core.CallAndMessage"


def more_flags(path):
    return next((flags for folder, flags in FOREIGN.items() if path.startswith(folder)), []) or []


def tidy(path):
    freestanding = path.startswith(FREESTANDING)
    model = [] if freestanding or path == "base/err.c" else ["-include", "tests/lint/model.h"]
    checks = [f"--checks={BLIND}"] if freestanding else []
    done = subprocess.run(["clang-tidy", "--quiet", f"--config-file={ROOT}/.clang-tidy", *checks, path, "--", *FLAGS, *more_flags(path), *model], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout if done.returncode else ""


def cppcheck(path):
    blind = ["--suppress=uninitvar", "--suppress=constStatement"] if path.startswith(FREESTANDING) else []
    done = subprocess.run(["cppcheck", "--quiet", "--enable=warning,performance,portability", "--inline-suppr", *blind,
                           "--error-exitcode=1", f"--suppressions-list={HERE}/cppcheck.txt", "--std=c11",
                           "--suppress=*:*.pb-c.h", *FLAGS[1:], path], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.stdout if done.returncode else ""


def main():
    passed = failed = 0
    with tempfile.NamedTemporaryFile("w", suffix=".c") as wrong:
        wrong.write(WRONG)
        wrong.flush()
        for name, check in (("clang-tidy", tidy), ("cppcheck", cppcheck)):
            if not check(wrong.name):
                failed += 1
                print(f"FAIL self-test: {name} does not notice what is wrong")
    paths = sys.argv[1:] or [p for p in files(ROOT, (".c",)) if not p.startswith(("tests/", "bench/"))]
    blind = [path for path in paths if any(path.startswith(folder) and flags is None for folder, flags in FOREIGN.items())]
    for path in blind:
        print(f"SKIP {path}: the headers of its runtime are not on this machine")
    paths = [path for path in paths if path not in blind]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: (path, tidy(path) + cppcheck(path)), paths)
        for path, problems in results:
            if problems:
                failed += 1
                print(f"FAIL {path}\n{problems}", flush=True)
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {len(blind)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
