# SPDX-License-Identifier: MIT
"""Programs that fork, execute, open, map, start threads or end while they are being frozen (tests/e2e/restless.c): the
snapshot is taken, or refused by name, and they go on untouched."""
import os
import random
import subprocess
import time
import unittest

import harness
from case import WarmCase
from refusals import refusal
from snap import CAPTURED, FAILED, RELEASED, Snap

RESTLESS = os.path.join(harness.BUILD, "tests", "restless")
REFUSALS = {
    "fork": [refusal("process %d has a child process (%d)")],
    "exec": [refusal("process %d has no executable: its main thread has ended or is executing a program, or it is the kernel's"),
             refusal("process %d ended, or executed another program, while it was being frozen"),
             refusal("process %d has executed another program, or changed its command line, meanwhile")],
    "open": [refusal("fd %d: a pipe whose %s end is in another process"), refusal("fd %d: unix socket connected to another process")],
    "peek": [refusal("fd %d: /proc/%s, which is about one process")],
    "map": [],
    "thread": [],
}


SHARES_ANEW = """
import mmap, select, sys
print("up", flush=True)
while True:
    area = mmap.mmap(-1, 4096)
    area[0] = 1
    if select.select([0], [], [], 0)[0]:
        if not sys.stdin.readline():
            break
        print("fine" if area[0] == 1 else "other memory", flush=True)
"""


def start(what):
    program = subprocess.Popen([RESTLESS, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout.readline() == b"up\n"
    return program


class Restless(unittest.TestCase):
    def assertFine(self, program):
        try:
            program.stdin.write(b"\n")
            program.stdin.flush()
        except BrokenPipeError:
            pass
        self.assertEqual(program.stdout.readline(), b"fine\n", program.poll())

    def through(self, what, n):
        program = start(what)
        for cleanup in (program.stdin.close, program.stdout.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        allowed, taken = REFUSALS[what.split("-")[0]], 0
        for _ in range(n):
            reports = Snap(program.pid).reports()
            self.assertFine(program)
            if [kind for kind, *_ in reports] == [RELEASED, CAPTURED]:
                taken += 1
                continue
            self.assertEqual([kind for kind, *_ in reports], [FAILED], reports)
            self.assertTrue([words for words in allowed if words.search(reports[0][2])], reports)
        self.assertGreater(taken, 0)

    def test_forks(self):
        self.through("fork", 15)
        self.through("fork-alone", 15)

    def test_executes(self):
        """By the main thread, and by another, which kills the rest."""
        self.through("exec-alone", 10)
        self.through("exec", 40)

    def test_opens_and_closes(self):
        self.through("open", 10)
        self.through("open-alone", 10)

    def test_reads_files_of_proc_about_itself(self):
        self.through("peek", 15)

    def test_maps_and_unmaps(self):
        self.through("map", 10)
        self.through("map-alone", 10)

    def test_starts_and_ends_threads(self):
        self.through("thread", 20)

    def test_ends(self):
        """Its parent hears the same as ever."""
        for _ in range(30):
            program = subprocess.Popen(["/usr/bin/perl", "-e", "select undef, undef, undef, shift; exit 7", str(random.uniform(0, 0.02))])
            reports = Snap(program.pid).reports()
            self.assertEqual(program.wait(10), 7)
            self.assertIn([kind for kind, *_ in reports], ([RELEASED, CAPTURED], [FAILED]))
            if reports[-1][0] == FAILED:
                self.assertEqual(reports[-1][2], "it ended before its snapshot was taken")

    def test_has_ended(self):
        """It is still there, for its parent only; then it is not."""
        program = subprocess.Popen(["/bin/true"])
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        for _ in range(2):
            (kind, _, text), = Snap(program.pid).reports()
            self.assertEqual((kind, text), (FAILED, "it ended before its snapshot was taken"))
            program.wait()

    def test_maps_shared_memory_anew(self):
        """What is mapped now is nothing that was looked for in other processes before the freeze."""
        program = subprocess.Popen([harness.PYTHON, "-c", SHARES_ANEW], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for cleanup in (program.stdin.close, program.stdout.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        self.assertEqual(program.stdout.readline(), b"up\n")
        words, found = refusal("memory at %#lx was mapped while the program was being frozen"), None
        for _ in range(20):
            reports = Snap(program.pid).reports()
            self.assertFine(program)
            if [kind for kind, *_ in reports] == [FAILED]:
                found = self.assertRegex(reports[0][2], words) or True
        self.assertTrue(found)

    def test_another_program_under_the_number(self):
        program = start("map-alone")
        for cleanup in (program.stdin.close, program.stdout.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        (kind, _, text), = Snap(program.pid, "--program", "0" * 32).reports()
        self.assertEqual(kind, FAILED)
        self.assertRegex(text, refusal("process %d has executed another program, or changed its command line, meanwhile"))
        self.assertFine(program)

    def test_another_process_under_the_number(self):
        """The pidfd of one that has ended, and somebody else's number."""
        gone = subprocess.Popen(["/bin/true"])
        pidfd = os.pidfd_open(gone.pid)
        gone.wait()
        program = start("map-alone")
        for cleanup in (program.stdin.close, program.stdout.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        (kind, _, text), = Snap(program.pid, "--pidfd", str(pidfd), keep=[pidfd]).reports()
        os.close(pidfd)
        self.assertEqual(kind, FAILED)
        self.assertEqual(text, "it ended before its snapshot was taken")
        self.assertFine(program)

    def test_parent_in_vfork_and_its_child(self):
        """The parent waits where nothing interrupts it; the child lives in its memory."""
        source = ("#include <signal.h>\n#include <unistd.h>\n#include <sys/wait.h>\n"
                  "int main(void)\n{\n\tint status;\n\tpid_t child = vfork();\n"
                  "\tif (!child) { char c; write(1, \"up\\n\", 3); read(0, &c, 1); _exit(5); }\n"
                  "\twaitpid(child, &status, 0);\n\treturn WEXITSTATUS(status) == 5 ? 6 : 1;\n}\n")
        program = os.path.join(harness.BUILD, "tests", f"vforks.{os.getpid()}")
        subprocess.run(["gcc", "-w", "-x", "c", "-o", program, "-"], input=source.encode(), check=True)
        self.addCleanup(os.unlink, program)
        parent = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for cleanup in (parent.stdout.close, parent.wait, parent.kill):
            self.addCleanup(cleanup)
        self.assertEqual(parent.stdout.readline(), b"up\n")
        (kind, _, text), = Snap(parent.pid).reports()
        self.assertEqual(kind, FAILED)
        self.assertRegex(text, refusal(f"thread {parent.pid} cannot be stopped: it waits for what cannot be interrupted"))
        child, = [pid for pid, (of, _) in harness.processes().items() if of == parent.pid]
        (kind, _, text), = Snap(child).reports()
        self.assertEqual(kind, FAILED)
        self.assertRegex(text, refusal(f"process {child} shares its memory with its parent, process {parent.pid}"))
        parent.stdin.write(b"x")
        parent.stdin.close()
        self.assertEqual(parent.wait(10), 6)


class ByNumber(WarmCase):
    """`warm snapshot PID`, and a launch of what was taken."""

    publish_app = False

    def test_what_is_taken_goes_on_in_a_copy(self):
        for what in ("map", "map-alone", "thread", "open-alone", "exec-alone"):
            with self.subTest(what):
                program = subprocess.Popen([RESTLESS, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           env=self.daemon.env)     # descriptors of the kinds that the launch has
                for cleanup in (program.stdin.close, program.stdout.close, program.stderr.close, program.wait, program.kill):
                    self.addCleanup(cleanup)
                self.assertEqual(program.stdout.readline(), b"up\n")
                end = time.monotonic() + 20
                while (done := self.daemon.warm("snapshot", str(program.pid))).code and time.monotonic() < end:
                    self.assertOneLine(done.err, f"process {program.pid}")
                self.assertEqual(done.code, 0, done.err)
                program.stdin.write(b"\n")
                program.stdin.flush()
                self.assertEqual(program.stdout.readline(), b"fine\n")
                self.daemon.full_pool()
                mark = {"RESTLESS": str(program.pid)} if what.startswith("exec") else {}
                result = self.daemon.exec(RESTLESS, what, stdin="\n", env=mark)
                self.assertEqual((self.assertClone(result).code, result.out), (0, "fine\n"))


class ByHook(WarmCase):
    """The main thread calls the hook while others are at it. (Those that open files, or have children, would meet the
    hook's own socket, or outlive their parent.)"""

    publish_app = False

    def first_run(self, what):
        program = self.daemon.popen(RESTLESS, what, "hook", stdin=subprocess.PIPE)
        for cleanup in (program.stdin.close, program.stdout.close, program.stderr.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        self.assertEqual(program.stdout.readline(), b"up\n")
        self.assertEqual(program.stdout.readline(), b"hook 0\n", self.daemon.log()[-500:])
        program.stdin.write(b"\n")
        program.stdin.close()
        self.assertEqual((program.stdout.readline(), program.wait(10)), (b"fine\n", 0))

    def test_what_is_taken_goes_on_in_a_copy(self):
        for what in ("map", "thread"):
            with self.subTest(what):
                self.first_run(what)
                self.daemon.published(command=what)
                result = self.daemon.exec(RESTLESS, what, "hook", stdin="\n")
                self.assertEqual((self.assertClone(result).code, result.out), (0, "hook 1\nfine\n"))
