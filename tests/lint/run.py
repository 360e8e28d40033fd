#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All quick checks of the sources and of what was built, and of the checks themselves."""
import os
import sys

import binaries
import includes
import manners
import provoked
import selftest
from sources import ROOT

BUILD = os.environ.get("WARM_BUILD", os.path.join(ROOT, "build"))


def checks():
    yield "layers", includes.layers(ROOT)
    yield "include cycles", includes.cycles(ROOT)
    yield "one door per library", includes.doors(ROOT)
    yield "restorer", binaries.restorer(os.path.join(BUILD, "restorer.elf"))
    yield "hot exec", binaries.hot_command(BUILD)
    yield "warm-init", binaries.static_program(os.path.join(BUILD, "warm-init"))
    yield "format", manners.formatted(ROOT)
    yield "licence lines", manners.licensed(ROOT)
    yield "nothing left for later", manners.finished(ROOT)
    yield "no path of one machine", manners.portable(ROOT)
    yield "scripts parse", manners.scripts(ROOT)
    yield "each refusal has a test", provoked.provoked(ROOT)
    yield "what is refused is called so", provoked.not_refusals(ROOT)
    for name, noticed in selftest.run():
        yield f"self-test: {name}", [] if noticed else ["the check did not notice, or saw what is not there"]


def main():
    passed = failed = 0
    for name, problems in checks():
        if problems:
            failed += 1
            print(f"FAIL {name}\n" + "\n".join("     " + problem for problem in problems[:40]))
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
