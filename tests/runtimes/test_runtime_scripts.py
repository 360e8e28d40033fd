# SPDX-License-Identifier: MIT
"""Interpreters that know nothing of Warm: each program is snapshotted while it waits for its first line."""
import os
import shutil
import unittest

from runtime import PROGRAMS, RuntimeCase

LINES = ("1 2 3\n", "7\n20 30\n", "5 5 5 5\n11 13\n17\n")


class Scripts(RuntimeCase):
    def talk(self, interpreter, program, *options):
        path = shutil.which(interpreter, path="/usr/bin:/bin")
        if not path:
            self.skipTest(f"{interpreter} is not installed (make test-runtimes does)")
        self.check_conversations(path, *options, os.path.join(PROGRAMS, program), lines=LINES)

    def test_perl(self):
        self.talk("perl", "talk.pl")

    def test_ruby(self):
        self.talk("ruby", "talk.rb")

    def test_lua(self):
        self.talk("lua5.4", "talk.lua")

    def test_php(self):
        self.talk("php", "talk.php")

    def test_bash(self):
        self.talk("bash", "talk.bash")

    def test_python_with_threads_asyncio_numpy_and_pandas(self):
        self.talk("python3", "talk.py")


if __name__ == "__main__":
    unittest.main()
