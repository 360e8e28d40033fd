# SPDX-License-Identifier: MIT
"""Programs that have a terminal in modes of their own: bash with its line editor, vim on its whole screen. Each is
snapshotted while it waits for a key; what is typed at a copy has the effect that it has in a cold run."""
import os
import re
import shutil
import unittest

from case import read, write
from harness import wait_for
from runtime import LAUNCHES, RuntimeCase
from terminal import Shell, waits_for_input


class Terminal(RuntimeCase):
    def setUp(self):
        super().setUp()
        self.home = self.folder(self._testMethodName)
        self.shell = Shell(dict(self.daemon.env, HISTFILE="/dev/null"), self.home)
        self.addCleanup(self.shell.close)

    def published(self, path):
        self.daemon.published(1, seconds=30, command=path, standbys=False)

    def test_bash(self):
        """Its own prompt, editing by Ctrl-A and cursor keys, Ctrl-C, job control of its own, its exit status."""
        command = "warm exec --ready after:1 -- /usr/bin/env -i PATH=/usr/bin:/bin PS1=inner: HISTFILE=/dev/null bash --norc --noprofile -i +o posix\n"
        self.shell.type(command)
        self.shell.expect("inner:")
        self.published("/usr/bin/env")
        self.shell.type("exit 3\n")
        self.shell.expect("ready>")
        self.assertEqual(self.shell.status(), 3)
        for i in range(LAUNCHES):
            self.shell.type(command)
            self.shell.type("cho $((6 * 7 + %d))\x01e\n" % i)      # Ctrl-A: to the beginning of the line
            self.shell.expect(rf"\b{42 + i}\b")
            self.shell.expect("inner:")
            self.assertTrue(wait_for(lambda: waits_for_input("bash", "posix")))
            self.shell.type("typed in vain\x03")
            self.shell.expect("inner:")
            self.shell.type("sleep 100 &\n")
            self.shell.expect(r"\[1\] \d+")
            self.shell.type("kill %1; wait; echo st''atus $?; stty -a | grep -c -- '[^-]icanon'\n")
            self.shell.expect("status")
            self.shell.expect("inner:")
            self.shell.type("exit %d\n" % (i % 100))
            self.shell.expect("ready>")
            self.assertEqual(self.shell.status(), i % 100)
        rows = [row for row in self.daemon.ls() if row["command"][0] == "/usr/bin/env"]
        self.assertEqual([row["hits"] for row in rows], [LAUNCHES])

    def test_vim(self):
        """Draws its screen anew in each copy; what is typed is written."""
        vim = shutil.which("vim", path="/usr/bin")
        if not vim:
            self.skipTest("vim is not installed (make test-runtimes does)")
        text, out = write(os.path.join(self.home, "text"), "one\ntwo\nthree\n"), os.path.join(self.home, "out")
        command = f"warm exec --ready after:1 -- {vim} -u NONE -i NONE -n --cmd 'set ttimeout ttimeoutlen=5' {text}\n"
        self.shell.type(command)
        self.shell.expect("three")
        self.published(vim)
        self.shell.type(":q!\n")
        self.shell.expect("ready>")
        for i in range(LAUNCHES):
            self.shell.type(command)
            self.shell.expect("three")                      # it has drawn itself on this terminal
            self.shell.type(f"ggOline {i}\x1b:w! {out}\n")
            self.assertTrue(wait_for(lambda: os.path.exists(out) and read(out)), self.shell.seen)
            self.assertEqual(read(out), f"line {i}\none\ntwo\nthree\n")
            os.unlink(out)
            self.shell.type(":q!\n")
            self.shell.expect("ready>")
        rows = [row for row in self.daemon.ls() if row["command"][0] == vim]
        self.assertEqual([row["hits"] for row in rows], [LAUNCHES])
        self.assertFalse(re.search("trial", self.daemon.log()))


if __name__ == "__main__":
    unittest.main()
