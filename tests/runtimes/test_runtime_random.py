# SPDX-License-Identifier: MIT
"""Random numbers of interpreters that know nothing of Warm: what the manual says differs in each copy, and what it says is
the snapshot's. Python, Node and Java with the hook, and OpenSSL: tests/e2e."""
import collections
import os
import shutil
import subprocess
import unittest

from harness import CLONE_TIERS, finish
from runtime import AT_ONCE, PROGRAMS, RuntimeCase

ROUNDS = 5
OPTIONS = ("--ready", "stdout:ready", "--explain")


class Random(RuntimeCase):
    def check_numbers(self, interpreter, program, *mode):
        path = shutil.which(interpreter, path="/usr/bin:/bin")
        if not path:
            self.skipTest(f"{interpreter} is not installed (make test-runtimes does)")
        argv = [path, os.path.join(PROGRAMS, program), *mode]
        first = self.daemon.popen(*argv, options=OPTIONS, stdin=subprocess.PIPE)
        self.wait_published(argv)
        said = [finish(first, "\n")]
        for _ in range(ROUNDS):
            self.daemon.full_pool()
            launches = [self.daemon.popen(*argv, options=OPTIONS, stdin=subprocess.PIPE) for _ in range(AT_ONCE)]
            said += [finish(launch, "\n") for launch in launches]
        drawn = {"own": collections.defaultdict(list), "kept": collections.defaultdict(list)}
        for result in said:
            self.assertEqual(result.code, 0, repr(result))
            for kind, name, number in [line.split() for line in result.out.splitlines() if line != "ready"]:
                drawn[kind][name].append(number)
        for result in said[1:]:
            self.assertIn(result.tier, CLONE_TIERS, repr(result))
        numbers = [number for found in drawn["own"].values() for number in found]
        self.assertEqual(len(numbers), len(drawn["own"]) * len(said), drawn)
        self.assertEqual(len(set(numbers)), len(numbers), drawn["own"])
        self.assertGreater(len(drawn["own"]), 0)
        for name, found in drawn["kept"].items():
            self.assertEqual((len(found), len(set(found))), (len(said), 1), f"{name} differs: let the manual say so: {found}")

    def test_ruby(self):
        self.check_numbers("ruby", "dice.rb")
        self.check_numbers("ruby", "dice.rb", "drawn")

    def test_perl(self):
        self.check_numbers("perl", "dice.pl")
        self.check_numbers("perl", "dice.pl", "drawn")

    def test_php(self):
        self.check_numbers("php", "dice.php")
        self.check_numbers("php", "dice.php", "drawn")

    def test_lua(self):
        self.check_numbers("lua5.4", "dice.lua")

    def test_bash(self):
        self.check_numbers("bash", "dice.bash")

    def test_python(self):
        self.check_numbers("python3", "dice.py")


if __name__ == "__main__":
    unittest.main()
