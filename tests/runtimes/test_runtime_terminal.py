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


TERMINALS = 2


class Terminal(RuntimeCase):
    def setUp(self):
        super().setUp()
        self.home = self.folder(self._testMethodName)
        self.shells = [Shell(dict(self.daemon.env, HISTFILE="/dev/null"), self.home) for _ in range(TERMINALS)]
        for shell in self.shells:
            self.addCleanup(shell.close)

    def published(self, path):
        self.daemon.published(1, seconds=30, command=path, standbys=False)

    def on_all(self, use):
        """use(shell, i) launches a program and ends it, and stops in between: on all terminals at once, step by step."""
        for i in range(0, LAUNCHES, TERMINALS):
            for _ in zip(*(use(shell, i + k) for k, shell in enumerate(self.shells))):
                pass

    def test_bash(self):
        """Its own prompt, editing by Ctrl-A and cursor keys, Ctrl-C, job control of its own, its exit status."""
        command = "warm exec --ready after:1 -- /usr/bin/env -i PATH=/usr/bin:/bin PS1=inner: HISTFILE=/dev/null bash --norc --noprofile -i +o posix\n"
        first = self.shells[0]
        first.type(command)
        first.expect("inner:")
        self.published("/usr/bin/env")
        first.type("exit 3\n")
        first.expect("ready>")
        self.assertEqual(first.status(), 3)

        def use(shell, i):
            shell.type(command)
            shell.type("cho $((6 * 7 + %d))\x01e\n" % i)      # Ctrl-A: to the beginning of the line
            yield
            shell.expect(rf"\b{42 + i}\b")
            shell.expect("inner:")
            yield
            self.assertTrue(wait_for(lambda: waits_for_input("bash", "posix", TERMINALS)))
            yield
            shell.type("typed in vain\x03")
            shell.expect("inner:")
            shell.type("sleep 100 &\n")
            shell.expect(r"\[1\] \d+")
            yield
            shell.type("kill %1; wait; echo st''atus $?; stty -a | grep -c -- '[^-]icanon'\n")
            shell.expect("status")
            shell.expect("inner:")
            yield
            shell.type("exit %d\n" % (i % 100))
            yield
            shell.expect("ready>")
            self.assertEqual(shell.status(), i % 100)
            yield

        self.on_all(use)
        rows = [row for row in self.daemon.ls() if row["command"][0] == "/usr/bin/env"]
        self.assertEqual([row["hits"] for row in rows], [LAUNCHES])

    def test_vim(self):
        """Draws its screen anew in each copy; what is typed is written."""
        vim = shutil.which("vim", path="/usr/bin")
        if not vim:
            self.skipTest("vim is not installed (make test-runtimes does)")
        text, outs = write(os.path.join(self.home, "text"), "one\ntwo\nthree\n"), os.path.join(self.home, "out")
        command = f"warm exec --ready after:1 -- {vim} -u NONE -i NONE -n --cmd 'set ttimeout ttimeoutlen=5' {text}\n"
        first = self.shells[0]
        first.type(command)
        first.expect("three")
        self.published(vim)
        first.type(":q!\n")
        first.expect("ready>")

        def use(shell, i):
            out = outs + str(i)
            shell.type(command)
            yield
            shell.expect("three")                      # it has drawn itself on this terminal
            yield
            shell.type(f"ggOline {i}\x1b:w! {out}\n")
            yield
            self.assertTrue(wait_for(lambda: os.path.exists(out) and read(out)), shell.seen)
            self.assertEqual(read(out), f"line {i}\none\ntwo\nthree\n")
            yield
            shell.type(":q!\n")
            yield
            shell.expect("ready>")
            yield

        self.on_all(use)
        rows = [row for row in self.daemon.ls() if row["command"][0] == vim]
        self.assertEqual([row["hits"] for row in rows], [LAUNCHES])
        self.assertFalse(re.search("trial", self.daemon.log()))

    def changed_settings(self, command, name, lines, leave, ask=""):
        """`lines` are two versions of the settings, by what the program shows then (when it is asked): the first one's state
        serves, and does not once the second one is there."""
        shell, path = self.shells[0], os.path.join(self.home, name)
        command = f"warm exec --explain --ready after:1 -- {command}\n"
        (first, text), (second, other) = lines.items()

        def launch(shown):
            shell.type(command)
            said = shell.expect(r'\{"tier".*\}\}')
            shell.type(ask)
            shell.expect(shown)
            return said
        write(path, text)
        self.assertIn("cold_start", launch(first))
        self.assertTrue(wait_for(lambda: [row for row in self.daemon.ls() if row["command"] == command.split()[6:]
                                          and row["state"] == "published"], 20), self.daemon.log()[-1000:])
        shell.type(leave)
        shell.expect("ready>")
        self.assertIn('"template"', launch(first))
        shell.type(leave)
        shell.expect("ready>")
        write(path, other)
        said = launch(second)
        self.assertIn("cold_start", said)
        self.assertIn(path + " changed", said)
        shell.type(leave)
        shell.expect("ready>")

    def test_bash_settings(self):
        self.changed_settings("/bin/bash -i", ".bashrc", {"first:": "PS1=first:\n", "second:": "PS1=second:\n"}, "exit\n", "\n")

    def test_vim_settings(self):
        vim = shutil.which("vim", path="/usr/bin")
        if not vim:
            self.skipTest("vim is not installed (make test-runtimes does)")
        self.changed_settings(f"{vim} -i NONE -n -R /dev/null", ".vimrc",
                              {name: f"set laststatus=2 statusline={name}\n" for name in ("FIRST", "SECOND")}, ":q!\n")


if __name__ == "__main__":
    unittest.main()
