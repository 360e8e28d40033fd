# SPDX-License-Identifier: MIT
"""warm-pager: a real one serves real clones, without the rest of Warm (tests/pager/)."""
import os
import subprocess
import unittest

BUILD = os.environ.get("WARM_BUILD", "build")
PROGRAM = os.path.join(BUILD, "tests", "pager_case")


class Pager(unittest.TestCase):
    def run_case(self, name):
        done = subprocess.run([PROGRAM, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", check=False)
        self.assertEqual(done.returncode, 0, done.stdout)


def test_of(name):
    return lambda self: self.run_case(name)


for case in subprocess.run([PROGRAM, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
    setattr(Pager, "test_" + case, test_of(case))
