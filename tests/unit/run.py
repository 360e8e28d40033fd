#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the built unit tests (cmocka, TAP output) and prints what failed and the total."""
import glob
import os
import re
import subprocess
import sys

BUILD = os.environ.get("WARM_BUILD", "build")
HERE = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r"^(ok|not ok) \d+(?: - )?(.*)$", re.M)


def programs():
    sources = sorted(glob.glob(os.path.join(HERE, "test_*.c")))
    names = [os.path.basename(source)[:-2] for source in sources]
    wanted = sys.argv[1:]
    return [name for name in names if not wanted or name in wanted]


def main():
    passed = failed = skipped = 0
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    for name in programs():
        path = os.path.join(BUILD, "tests", "unit", name)
        try:
            done = subprocess.run([path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=60, env=env, stdin=subprocess.DEVNULL)
            output, code = done.stdout, done.returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            output, code = str(error), 1
        here = 0
        for verdict, test in re.findall(LINE, output):
            if "# SKIP" in test:
                skipped += 1
                print(f"SKIP {name}: {test}")
            elif verdict == "ok":
                passed += 1
            else:
                here += 1
        if code != 0 and here == 0:
            here = 1
        if here:
            print(f"FAIL {name} (exit {code})\n{output}")
        failed += here
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
