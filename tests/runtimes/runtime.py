# SPDX-License-Identifier: MIT
"""A test case for real programs: many launches, several at once, every answer equal to a cold run's."""
import os
import subprocess

from case import WarmCase
from harness import BUILD, CLONE_TIERS, finish, wait_for

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
PACKAGES = os.path.join(BUILD, "runtimes", "npm", "node_modules")
LAUNCHES = 200
AT_ONCE = 4


class RuntimeCase(WarmCase):
    publish_app = False
    limit = 600  # seconds a test

    def wait_published(self, command):
        def there():
            return any(row["command"] == command and row["state"] == "published" and row["standbys"] for row in self.daemon.ls())
        self.assertTrue(wait_for(there, 60, 0.05), f"{self.daemon.ls()}\n{self.daemon.log()[-2000:]}")

    def check_launches(self, *argv, arguments=("1", "22", "333"), launches=LAUNCHES, options=(), **keywords):
        """Launches it so often, with these as its last argument in turn."""
        cold = {last: self.daemon.exec(*argv, last, options=(*options, "--explain", "--cold"), timeout=120, **keywords) for last in arguments}
        for result in cold.values():
            self.assertEqual(result.code, 0, repr(result))
        first = self.daemon.exec(*argv, arguments[0], options=(*options, "--explain"), timeout=60, **keywords)
        self.assertEqual((first.code, first.out), (0, cold[arguments[0]].out), "the original did not go on")
        self.wait_published([*argv, arguments[0]])
        for begin in range(0, launches, AT_ONCE):
            self.daemon.full_pool()
            ones = [arguments[(begin + i) % len(arguments)] for i in range(AT_ONCE)]
            processes = [self.daemon.popen(*argv, last, options=(*options, "--explain"), **keywords) for last in ones]
            for last, result in [(last, finish(process)) for last, process in zip(ones, processes)]:
                self.assertIn(result.tier, CLONE_TIERS, f"launch {begin}: {result!r}\n{self.daemon.log()[-1000:]}")
                self.assertEqual((result.code, result.out), (cold[last].code, cold[last].out), f"launch {begin}: {result!r}")

    def check_conversations(self, *argv, lines, launches=LAUNCHES, ready="after:0.5"):
        """A program without the hook, that answers lines of its standard input: snapshotted while it waits for the first
        one, then launched so often, with each of `lines` in turn."""
        cold = {text: self.daemon.exec(*argv, options=("--explain", "--cold"), stdin=text) for text in lines}
        for result in cold.values():
            self.assertEqual(result.code, 0, repr(result))
            self.assertTrue(result.out)
        options = ("--ready", ready, "--explain")
        first = self.daemon.popen(*argv, options=options, stdin=subprocess.PIPE)
        self.wait_published(list(argv))
        self.assertEqual(finish(first, lines[0]).out, cold[lines[0]].out, "the original did not go on")
        for begin in range(0, launches, AT_ONCE):
            self.daemon.full_pool()
            ones = [lines[(begin + i) % len(lines)] for i in range(AT_ONCE)]
            processes = [self.daemon.popen(*argv, options=options, stdin=subprocess.PIPE) for _ in ones]
            for text, result in [(text, finish(process, text)) for text, process in zip(ones, processes)]:
                self.assertIn(result.tier, CLONE_TIERS, f"launch {begin}: {result!r}\n{self.daemon.log()[-1000:]}")
                self.assertEqual((result.code, result.out), (cold[text].code, cold[text].out), f"launch {begin}: {result!r}")


__all__ = ["RuntimeCase", "PROGRAMS", "PACKAGES"]
