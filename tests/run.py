#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the named suites one after the other and adds up their last lines; fails when one test failed."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOTALS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
SUITES = {"lint": "lint/run.py", "unit": "unit/run.py", "victims": "victims/run.py", "e2e": "e2e/run.py"}


def run_suite(name):
    """Shows the suite's output as it comes; returns its (passed, failed, skipped). A suite without a total has failed."""
    print(f"== {name}", flush=True)
    argv = ["/usr/bin/python3", os.path.join(HERE, SUITES[name])]
    totals = None
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, errors="replace") as suite:
        for line in suite.stdout:
            match = TOTALS.match(line.strip())
            if match:
                totals = [int(n) for n in match.groups()]
            print(line, end="", flush=True)
    if totals is None or (suite.returncode != 0 and totals[1] == 0):
        print(f"FAIL {name}: the suite ended with {suite.returncode} and no total of its own")
        totals = totals or [0, 0, 0]
        totals[1] += 1
    return totals


def main():
    names = sys.argv[1:] or list(SUITES)
    sums = [sum(column) for column in zip(*[run_suite(name) for name in names])]
    print("== all")
    print(f"{sums[0]} passed, {sums[1]} failed, {sums[2]} skipped")
    return 1 if sums[1] else 0


if __name__ == "__main__":
    sys.exit(main())
