# SPDX-License-Identifier: MIT
"""A pre-warmed Python at a terminal: what is seen there, typed there, and left behind is what a cold one does."""
import re
import unittest

from case import WarmCase, write
from harness import CLONE_TIERS, PYTHON, Daemon, explanation, wait_for
from terminal import PROMPT, Shell, waits_for_input

# A signal that comes right before a long sleep is seen behind it (cold, too).
ASLEEP = "print('asleep', flush=True)\nwhile True: time.sleep(0.02)\n"


class PrewarmTerminal(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(config="[python]\nprewarm = yes\n")
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()

    def setUp(self):  # no pool to wait for: a launch on a terminal gets a standby of its own
        self.shell = Shell(self.daemon.env, self.daemon.dir)
        self.addCleanup(self.shell.close)
        self.modes = self.shell.run("stty -g").strip()

    def tearDown(self):
        self.assertEqual(self.shell.run("stty -g").strip(), self.modes, "the terminal's modes did not come back")

    def warm_up(self, words):
        """Until a copy serves such a launch: one of a program that ends at once."""
        def served():
            said = explanation(self.shell.run(f"warm exec --explain -- {PYTHON} {words}").replace("\n", ""))
            return said.get("tier") in CLONE_TIERS
        self.assertTrue(wait_for(served, 20, 0.1), self.daemon.log()[-2000:])

    def seen(self, command, talk):
        """What the terminal shows while `talk` has its say with a command, and what the shell hears of its end."""
        self.shell.run("stty echo")
        self.shell.type(command + "\n")
        self.shell.expect(re.escape(command) + "\r\n")
        text = "".join(talk(self.shell))
        text += self.shell.expect(re.escape(PROMPT))[:-len(PROMPT)]
        status = self.shell.status()
        self.shell.run("stty -echo")
        return text, status

    def check_same(self, words, talk, like="-c 0", status=0):
        """At a cold Python and at a copy of a pre-warmed one; `like`: a program that the same snapshot serves."""
        self.warm_up(like)
        cold = self.seen(f"{PYTHON} {words}", talk)
        self.assertEqual(cold[1], status, cold)
        self.assertEqual(self.seen(f"warm exec --require -- {PYTHON} {words}", talk), cold)

    def script(self, text, name="program.py"):
        return write(f"{self.daemon.dir}/{name}", text)

    def test_password(self):
        path = self.script("import getpass, sys\nword = getpass.getpass('word? ')\nprint(len(word), sys.stdin.isatty())\n")

        def talk(shell):
            yield shell.expect(r"word\? ")
            shell.type("hush\n")
            shown = shell.expect("True")
            self.assertNotIn("hush", shown)
            yield shown
        self.check_same(path, talk)

    def test_line_that_is_edited(self):
        for loads in ("", "import readline\n"):
            path = self.script(loads + "print('<' + input('name> ') + '>')\nprint('<' + input('name> ') + '>')\n")

            def talk(shell):
                yield shell.expect("name> ")
                shell.type("abx\x7fc\n")
                yield shell.expect("<abc>\r\nname> ")
                shell.type("\x01b\x05c\n" if loads else "bc\n")  # with a line editor: to its beginning, to its end
                yield shell.expect("<bc>")
            with self.subTest(loads):
                self.check_same(path, talk)

    def test_end_of_input(self):
        path = self.script("import sys\nprint(repr(sys.stdin.read()))\ninput('more> ')\n")

        def talk(shell):
            self.assertTrue(wait_for(lambda: waits_for_input("python3", path), 10))
            shell.type("some\n\x04")
            yield shell.expect("more> ")
            shell.type("\x04")
            yield shell.expect("EOFError")
        self.check_same(path, talk, status=1)

    def test_size(self):
        path = self.script("import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])\n"
                           "print('size', *os.get_terminal_size(), flush=True)\nsignal.sigwait([signal.SIGWINCH])\n"
                           "print('size', *os.get_terminal_size())\n")

        def talk(shell):
            shell.resize(24, 80)
            yield shell.expect("size 80 24")
            shell.resize(33, 99)
            yield shell.expect("size 99 33")
        self.check_same(path, talk)

    def test_interrupt(self):
        path = self.script("input('waits')\n")

        def talk(shell):
            yield shell.expect("waits")
            self.assertTrue(wait_for(lambda: waits_for_input("python3", path), 10))
            shell.type("\x03")
            yield shell.expect("KeyboardInterrupt")
        self.check_same(path, talk, status=130)

    def test_interrupt_that_is_handled(self):
        path = self.script("import time\ntry:\n    print('asleep', flush=True)\n    while True: time.sleep(0.02)\n"
                           "except KeyboardInterrupt:\n    print('handled')\n    raise SystemExit(7)\n")

        def talk(shell):
            yield shell.expect("asleep")
            shell.type("\x03")
            yield shell.expect("handled")
        self.check_same(path, talk, status=7)

    def test_quit(self):
        """A shell says of a cold one that it left a core, if it did."""
        path = self.script("import time\n" + ASLEEP)
        self.warm_up("-c 0")
        for how in ("", "warm exec --require -- "):
            with self.subTest(how):
                self.shell.type(f"{how}{PYTHON} {path}\n")
                self.shell.expect("asleep")
                self.shell.type("\x1c")
                self.shell.expect(re.escape(PROMPT))
                self.assertEqual(self.shell.status(), 131)

    def dialogue(self, shell):
        yield shell.expect(">>> ")
        shell.type("6 * 7\n")
        yield shell.expect("42\r\n[^\r]*>>> ")
        shell.type("def f():\n")
        yield shell.expect(r"\.\.\. ")
        shell.type("    return 'done'\n")
        yield shell.expect(r"\.\.\. ")
        shell.type("\n")
        yield shell.expect(">>> ")
        shell.type("f() + str(1 / 0)\n")
        yield shell.expect("ZeroDivisionError.*\r\n[^\r]*>>> ")
        shell.type("import sys; sys.argv, sys.flags.interactive, sys.flags.inspect, __name__\n")
        yield shell.expect("__main__'\)\r\n[^\r]*>>> ")

    def test_dialogue(self):
        """Without a program, to be left by Ctrl-D; Ctrl-C ends no more than a line of it."""
        def talk(shell):
            yield from self.dialogue(shell)
            shell.type("half a line")
            yield shell.expect("half a line")
            self.assertTrue(wait_for(lambda: waits_for_input("python3", PYTHON), 10))
            shell.type("\x03")
            yield shell.expect("KeyboardInterrupt\r\n[^\r]*>>> ")
            shell.type("\x04")
        self.check_same("", talk)

    def test_dialogue_behind_a_program(self):
        path = self.script("import sys\nleft = 6 * 7\nprint('ran', sys.argv)\n")

        def talk(shell):
            yield shell.expect("ran ")
            yield from self.dialogue(shell)
            shell.type("left\n")
            yield shell.expect("42\r\n[^\r]*>>> ")
            shell.type("raise SystemExit(5)\n")
        self.check_same(f"-i {path} word", talk, like="-i -c 'import os; os._exit(0)'", status=5)


if __name__ == "__main__":
    unittest.main()
