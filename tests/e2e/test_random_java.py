# SPDX-License-Identifier: MIT
"""Java programs that never call the hook: each copy draws other numbers from what the Java machine itself draws from, and from every secure
generator; a Random of the program is its own."""
import collections
import os
import socket
import subprocess
import unittest

from case import WarmCase
from harness import BUILD, CLONE_TIERS, ROOT, Daemon, finish, wait_for
from test_java import JAVA, needs_java
from test_random_python import reaches
from test_ready import free_port

COPIES = 3
NEWER = "/usr/lib/jvm/temurin-25-jdk-amd64/bin/java"


@needs_java
class JavaRandom(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classes = os.path.join(cls.daemon.dir, "classes")
        subprocess.run([JAVA + "c", "-d", cls.classes, os.path.join(ROOT, "tests/e2e/java/Dice.java")], check=True)

    def said(self, launch, port):
        """{name: number}, and what ended."""
        if port:
            self.assertTrue(wait_for(lambda: reaches(port), 10))
        result = finish(launch, None if port else "\n")
        self.assertEqual(result.code, 0, repr(result))
        return result, dict(line.split() for line in result.out.splitlines() if line != "ready")

    def runs(self, how, options, java=JAVA, collector="-XX:+UseG1GC", port=None, daemon=None, **keywords):
        """What the first run says, and what copies of it do."""
        daemon = daemon or self.daemon
        argv = (java, collector, "-cp", self.classes, "Dice", how)
        first = daemon.popen(*argv, options=options, stdin=subprocess.PIPE, **keywords)
        daemon.published(command=how)
        _, original = self.said(first, port)
        daemon.full_pool()
        copies = []
        for _ in range(COPIES):
            copy = daemon.popen(*argv, options=(*options, "--explain"), stdin=subprocess.PIPE, **keywords)
            copies.append(self.said(copy, port) if port else copy)
        copies = [copy if port else self.said(copy, port) for copy in copies]
        for row in daemon.published(command=how):
            daemon.warm("rm", row["id"])
        return original, copies

    def check(self, how, options, **keywords):
        original, copies = self.runs(how, options, **keywords)
        drawn = collections.defaultdict(set)
        for result, said in copies:
            self.assertIn(result.tier, CLONE_TIERS, repr(result))
            self.assertEqual(said["same"], original["same"])
        for said in [original] + [said for _, said in copies]:
            self.assertEqual(len(said), 15, said)
            for name, number in said.items():
                drawn[name].add(number)
        for name, numbers in drawn.items():
            self.assertEqual(len(numbers), 1 if name == "same" else COPIES + 1, f"{name}: {original} {copies}")

    def test_ready_by_what_it_says(self):
        self.check("stdout", ("--ready", "stdout:ready"))

    def test_ready_by_its_port_with_another_collector(self):
        port = free_port()
        self.check(str(port), ("--ready", f"listen:{port}"), port=port, collector="-XX:+UseSerialGC")

    @unittest.skipUnless(os.path.exists(NEWER), "JDK 25 is not installed")
    def test_newer_machine(self):
        self.check("stdout", ("--ready", "stdout:ready"), java=NEWER)

    def test_kept_where_that_is_wanted(self):
        daemon = Daemon(config="[snapshot]\nrandom = keep\n")
        self.addCleanup(daemon.close)
        daemon.start()
        original, copies = self.runs("stdout", ("--ready", "stdout:ready"), daemon=daemon)
        of_time = ("new", "uuid", "Native")     # a new one looks at the clock; what was read ahead is thrown away soon
        for name in [name for name in original if not name.startswith(of_time)]:
            self.assertEqual([said[name] for _, said in copies], [original[name]] * COPIES,
                             f"{name}: it is the test that draws no equal numbers")

    def test_says_that_it_is_ready(self):
        address = os.path.join(self.daemon.dir, "manager")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            self.check(os.path.join(BUILD, "tests", "ready.so"), (), env={"NOTIFY_SOCKET": address})


if __name__ == "__main__":
    unittest.main()
