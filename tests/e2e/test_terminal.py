# SPDX-License-Identifier: MIT
"""At a terminal: Ctrl-C, Ctrl-Z, fg, &, pipes, a Python prompt, the window's size, the modes afterwards."""
import json
import os
import re

from case import WarmCase, write
from harness import APP, BUILD, CLONE_TIERS, PYTHON, wait_for
from terminal import Shell, waits_for_input

PROMPT_PROGRAM = """import code, sys
import warm
warm.ready()
code.interact(local={"sys": sys}, banner="python is here", exitmsg="python has gone")
"""
SIZE_PROGRAM = """import os, signal
import warm
warm.ready()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])     # none is missed between a look and a wait
print("size", *os.get_terminal_size(0), flush=True)
signal.sigwait([signal.SIGWINCH])
print("size", *os.get_terminal_size(0), flush=True)
"""


class Terminal(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shell = Shell(cls.daemon.env, cls.daemon.dir)
        try:
            cls.warm_up(f"{APP} outcome")
        finally:
            cls.shell.close()

    @classmethod
    def warm_up(cls, command, how=""):
        """Launches until what comes is a clone, so that the tests that follow are about clones."""
        def is_clone():
            text = cls.shell.run(f"warm exec --explain -- {command}{how}")
            tier = re.search(r'\{"tier".*?\}\}', text.replace("\n", ""))
            return tier and json.loads(tier.group(0))["tier"] in CLONE_TIERS
        if not wait_for(is_clone, 20, 0.2):
            raise AssertionError(f"{command} never became a clone; {cls.daemon.ls()}\n{cls.daemon.log()[-1500:]}")

    def setUp(self):  # no pool to wait for: a launch on a terminal gets a standby of its own
        type(self).shell = Shell(self.daemon.env, self.daemon.dir)  # its own for each test
        self.addCleanup(self.shell.close)
        self.modes = self.shell.run("stty -g").strip()

    def tearDown(self):
        self.assertEqual(self.shell.run("stty -g").strip(), self.modes, "the terminal's modes did not come back")

    def hits(self, script):
        return [row["hits"] for row in self.daemon.ls() if script in row["command"]][0]

    def start(self, words):
        self.shell.type(f"warm exec -- {APP} {words}\n")

    def test_output_and_exit_code(self):
        self.assertIn("restored", self.shell.run(f"warm exec -- {APP} outcome exit 9"))
        self.assertEqual(self.shell.status(), 9)

    def test_control_c(self):
        self.start("hold")
        self.shell.expect("holding")
        self.shell.type("\x03")
        self.shell.expect("ready>")
        self.assertEqual(self.shell.status(), 130)

    def test_control_backslash(self):
        self.start("hold")
        self.shell.expect("holding")
        self.shell.type("\x1c")
        self.shell.expect("ready>")
        self.assertEqual(self.shell.status(), 131)

    def test_control_z_and_fg(self):
        self.start("hold")
        self.shell.expect("holding")
        for _ in range(3):
            self.shell.type("\x1a")
            self.shell.expect("Stopped")
            self.shell.expect("ready>")
            self.assertIn("Stopped", self.shell.run("jobs"))
            self.shell.foreground()
        self.shell.type("\x03")
        self.shell.expect("ready>")
        self.assertEqual(self.shell.status(), 130)
        self.assertEqual(self.shell.run("jobs").strip(), "")

    def test_background(self):
        self.shell.run(f"warm exec -- {APP} sleep 300 outcome exit 0 &")
        out = self.shell.run("wait %1; echo done")
        self.assertRegex(out, "restored")
        self.shell.run("jobs")

    def test_background_reader_stops_and_fg_goes_on(self):
        self.shell.type(f"warm exec -- {APP} line &\n")
        self.shell.expect("ready>")
        self.assertTrue(wait_for(lambda: "Stopped" in self.shell.run("jobs"), 5, 0.1))
        self.shell.foreground()
        self.shell.type("typed text\n")
        self.shell.expect(re.escape("[typed text]"))
        self.shell.expect("ready>")
        self.assertEqual(self.shell.status(), 0)

    def test_typed_line_and_end_of_file(self):
        self.start("line line")
        self.shell.type("hello\n")
        self.shell.expect(re.escape("[hello]"))
        self.shell.type("\x04")
        self.shell.expect("end of file")
        self.shell.expect("ready>")

    def test_pipe_into_less(self):
        self.warm_up(f"{APP} args", " | cat")
        self.shell.type(f"warm exec -- {APP} outcome args | less\n")
        self.shell.expect("restored")
        self.shell.expect("END")
        self.shell.type("q")
        self.shell.expect("ready>")

    def test_output_into_file(self):
        self.warm_up(f"{APP} outcome", " > out.txt 2>&1; cat out.txt")
        self.assertIn("restored", self.shell.run(f"warm exec -- {APP} outcome > out.txt 2>&1; cat out.txt"))

    def test_killed_program_gives_the_terminal_back(self):
        self.shell.run(f"warm exec -- {APP} signal 9")
        self.assertEqual(self.shell.status(), 137)

    def test_python_prompt(self):
        script = write(os.path.join(self.daemon.dir, "prompt.py"), PROMPT_PROGRAM)
        for attempt in range(2):
            self.shell.type(f"warm exec -- {PYTHON} {script}\n")
            self.shell.expect(">>> ", 20)
            self.shell.type("6 * 7\n")
            self.shell.expect(r"\b42\b")
            self.shell.expect(">>> ")
            # Any Python that gets the signal between its last look and the wait sees it when the next line comes only.
            self.assertTrue(wait_for(lambda: waits_for_input("python", script)))
            self.shell.type("\x03")
            self.shell.expect("KeyboardInterrupt")
            self.shell.type("sys.stdin.isatty(), sys.stdout.isatty()\n")
            self.shell.expect(re.escape("(True, True)"))
            self.shell.expect(">>> ")
            self.shell.type("\x04")
            self.shell.expect("python has gone")
            self.shell.expect("ready>")
            if attempt == 0:
                self.daemon.published(1, command=script, standbys=False)
        self.assertEqual(self.hits(script), 1)

    def test_window_size(self):
        script = write(os.path.join(self.daemon.dir, "size.py"), SIZE_PROGRAM)
        for attempt in range(2):
            self.shell.resize(30, 100)
            self.shell.type(f"warm exec -- {PYTHON} {script}\n")
            self.shell.expect("size 100 30", 20)
            self.shell.resize(31, 101 + attempt)
            self.shell.expect(f"size {101 + attempt} 31")
            self.shell.expect("ready>")
            if attempt == 0:
                self.daemon.published(1, command=script, standbys=False)
        self.assertEqual(self.hits(script), 1)
        self.shell.resize(24, 80)

    def test_a_copy_that_waits_is_told_of_its_terminal(self):
        window = os.path.join(BUILD, "tests", "window")
        for number in range(3):
            self.shell.type(f"warm exec --ready after:0.2 -- {window}\n")
            self.shell.expect("drawn" if number else "up")
            if not number:
                self.daemon.published(1, command=window, standbys=False)
            self.shell.type("\n")
            self.shell.expect("ready>")

