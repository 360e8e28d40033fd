#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the built unit tests (cmocka, TAP output) and those of bench/ (unittest), and prints what failed and the total."""
import glob
import os
import re
import subprocess
import sys
import unittest

BUILD = os.environ.get("WARM_BUILD", "build")
HERE = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r"^(ok|not ok) \d+(?: - )?(.*)$", re.M)


def of_scripts(wanted):
    """(passed, failed, skipped) of test_*.py here."""
    sys.dont_write_bytecode = True
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(wanted) if wanted else loader.discover(HERE, "test_*.py", top_level_dir=HERE)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        result = unittest.TextTestRunner(stream=nowhere).run(suite)
    for test, why in result.failures + result.errors:
        print(f"FAIL {test.id()}\n{why}")
    failed = len(result.failures) + len(result.errors)
    return result.testsRun - failed - len(result.skipped), failed, len(result.skipped)


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
    scripts = [name for name in sys.argv[1:] if os.path.exists(os.path.join(HERE, name.split(".")[0] + ".py"))]
    if scripts or not sys.argv[1:]:
        more = of_scripts(scripts)
        passed, failed, skipped = passed + more[0], failed + more[1], skipped + more[2]
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
