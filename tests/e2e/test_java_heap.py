# SPDX-License-Identifier: MIT
"""Images of Java programs that know nothing of Warm carry live data: garbage is collected where `warm exec` has started the program, and
what is free is left out of every image. The Java machine checks its whole heap before and after each collection, in the copies too."""
import os
import socket
import subprocess
import time
import unittest

from case import WarmCase
from harness import BUILD, ROOT, base_env, finish, program_behind, wait_for
from test_java import JAVA, needs_java, told
from test_ready import free_port

VERIFIED = ("-XX:+UnlockDiagnosticVMOptions", "-XX:+VerifyBeforeGC", "-XX:+VerifyAfterGC")
LIVE = 40 << 20     # 10 MiB that the program keeps, 13 to 15 of the machine's own; behind it 120 MiB of garbage were made
NEWER = "/usr/lib/jvm/temurin-25-jdk-amd64/bin/java"


def memory(pid):
    """Private memory."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        sizes = dict(line.split(":") for line in file.read().splitlines()[1:])
    return sum(int(sizes[name].split()[0]) << 10 for name in ("Private_Clean", "Private_Dirty"))


@needs_java
class Heap(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classes = os.path.join(cls.daemon.dir, "classes")
        subprocess.run([JAVA + "c", "-d", cls.classes, os.path.join(ROOT, "tests/e2e/java/Litter.java")], check=True)

    def program(self, collector, ready, collects="none", java=JAVA):
        return [java, collector, *VERIFIED, "-cp", self.classes, "Litter", ready, collects]

    def published(self, argv):
        def there():
            return [row for row in self.daemon.ls() if row["state"] == "published" and row["command"] == argv]
        self.assertTrue(wait_for(there, 20), self.daemon.log())
        return there()[0]

    def end(self, launch, ready):
        """Lets it go on, and looks at what it says."""
        if ready == "stdout":
            launch.stdin.write(b"x")
            launch.stdin.flush()
        else:
            self.assertTrue(wait_for(lambda: reaches(int(ready)), 10))
        done = finish(launch)
        self.assertEqual(done.code, 0, repr(done))
        self.assertEqual(done.out.count("kept=true\n"), 2, repr(done))
        said = told(done.out)
        self.assertEqual((said["preload"], said["blocked"].split()), ("null", ["SigBlk:", "0" * 16]), repr(done))
        self.assertNotIn("warm", said["child"])
        return done, said

    def check_image(self, argv, ready, row, options):
        """It is small, and a copy of it is, and goes on rightly."""
        self.assertLess(row["stored_bytes"], LIVE)
        self.daemon.full_pool()
        copy = self.daemon.popen(*argv, options=("--explain", *options), stdin=subprocess.PIPE)
        self.assertTrue(wait_for(lambda: program_behind_or_none(copy), 10))
        self.assertLess(memory(program_behind(copy)), LIVE + (20 << 20))
        self.daemon.warm("rm", row["id"])   # no new standbys meanwhile
        done, said = self.end(copy, ready)
        self.assertClone(done)
        self.assertEqual((done.err.count("\n"), said["same"]), (1, "yes"), repr(done))     # --explain

    def check_ready(self, argv, ready, how, first=None):
        options = ("--ready", how)
        first = first or self.daemon.popen(*argv, options=options, stdin=subprocess.PIPE)
        row = self.published(argv)
        done, said = self.end(first, ready)
        self.assertEqual((done.err, said["same"]), ("", "yes"), repr(done))
        self.check_image(argv, ready, row, options)

    def test_ready_by_what_it_says(self):
        self.check_ready(self.program("-XX:+UseG1GC", "stdout"), "stdout", "stdout:ready")

    def test_ready_by_a_port(self):
        port = str(free_port())
        self.check_ready(self.program("-XX:+UseSerialGC", port), port, "listen:" + port)

    def test_ready_by_time(self):
        """When it has been idle for a moment: until then it would be asked in the middle of its work."""
        argv = self.program("-XX:+UseSerialGC", "stdout")
        for seconds in 2, 6, 18:
            began = time.monotonic()
            first = self.daemon.popen(*argv, options=("--ready", f"after:{seconds}"), stdin=subprocess.PIPE)
            self.addCleanup(first.kill)
            self.assertEqual(first.stdout.readline(), b"ready\n")
            if time.monotonic() - began < seconds - 0.5:
                self.check_ready(argv, "stdout", f"after:{seconds}", first)
                return
            self.published(argv)
            first.communicate(b"x")
            self.daemon.warm("rm", *[row["id"] for row in self.daemon.ls()])
        self.fail("it is not ready within 17 s")

    def test_ready_by_its_notification(self):
        says_ready = os.path.join(BUILD, "tests", "ready.so")
        self.check_ready(self.program("-XX:+UseG1GC", says_ready), "stdout", "sdk")

    def check_pid(self, argv):
        """One that we have not started has its free heap left out; its garbage is its own."""
        with subprocess.Popen(argv, env=base_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
            self.addCleanup(first.kill)
            self.assertEqual(first.stdout.readline(), b"ready\n")
            taken = self.daemon.warm("snapshot", str(first.pid))
            self.assertEqual(taken.code, 0, repr(taken))
            row, = [row for row in self.daemon.ls() if row["id"] == taken.out.strip()]
            done, said = self.end(first, "stdout")
            self.assertEqual((done.err, said["same"]), ("", "yes"), repr(done))
        self.check_image(argv, "stdout", row, ())

    def test_a_process_that_runs(self):
        for collector in "-XX:+UseG1GC", "-XX:+UseSerialGC":
            with self.subTest(collector):
                self.check_pid(self.program(collector, "stdout", "gc"))

    @unittest.skipUnless(os.path.exists(NEWER), "no JDK 25 here")
    def test_a_newer_machine(self):
        self.check_ready(self.program("-XX:+UseG1GC", "stdout", java=NEWER), "stdout", "stdout:ready")

    def test_another_collector_keeps_what_it_has(self):
        """Nothing is left out where it is not known how the heap is made."""
        argv = self.program("-XX:+UseParallelGC", "stdout")
        argv.insert(1, "-Xmx80m")
        first = self.daemon.popen(*argv, options=("--ready", "stdout:ready"), stdin=subprocess.PIPE)
        self.published(argv)
        self.end(first, "stdout")
        copy = self.daemon.popen(*argv, options=("--explain", "--ready", "stdout:ready"), stdin=subprocess.PIPE)
        self.assertClone(self.end(copy, "stdout")[0])

    def test_a_program_that_ends_before_it_is_ready(self):
        """Whoever waits for the question goes with it; the exit status is the program's."""
        for words, code in ((["-version"], 0), (["-cp", self.classes, "Nothing"], 1), (["-XX:Nonsense"], 1)):
            with self.subTest(words):
                cold = self.daemon.exec(JAVA, *words, options=("--cold",))
                done = self.daemon.exec(JAVA, *words, options=("--ready", "after:60"))
                self.assertEqual((done.code, done.out, done.err), (cold.code, cold.out, cold.err))
                self.assertEqual(done.code, code)


def reaches(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def program_behind_or_none(launch):
    try:
        return program_behind(launch)
    except AssertionError:
        return None


if __name__ == "__main__":
    unittest.main()
