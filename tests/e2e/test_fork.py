# SPDX-License-Identifier: MIT
"""Memory is read while the program runs on, from what a fork has left (snapshot/keep.h); where it cannot be forked, the
program stands still for longer, and `warm show` says why."""
import json
import os
import signal
import subprocess
import sys
import unittest

import harness
from case import WarmCase
from snap import CAPTURED, RELEASED, REPORT, Snap

NOBODY = 65534
MEMORY = "/sys/fs/cgroup/memory"    # version 1
WHY = {"limited": "fork(2) in its name: Resource temporarily unavailable",
       "told": "a SIGCHLD waited for it",
       "bounded": "it could write to more memory than it may have twice"}
PROGRAM = """
import os, resource, signal, sys
hog = os.urandom(int(sys.argv[1]) << 20)
if "limited" in sys.argv:
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
if "told" in sys.argv:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    os.kill(os.getpid(), signal.SIGCHLD)
os.write(1, b"up\\n")
sys.stdin.readline()
try:
    os.waitpid(-1, os.WNOHANG)
    print("a child")
except ChildProcessError:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("fine" if not (usage.ru_maxrss or usage.ru_utime or usage.ru_stime or usage.ru_minflt) else usage)
    print("told" if signal.SIGCHLD in signal.sigpending() else "not told", flush=True)
sys.stdin.readline()
"""


class Program(unittest.TestCase):
    def start(self, mib, *words, **how):
        program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(mib), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   close_fds=True, **how)
        self.addCleanup(program.stdin.close)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), b"up\n")
        return program

    def assertFine(self, program, told=False):
        """It knows of no child, and has lost no signal."""
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"fine\n")
        self.assertEqual(program.stdout.readline(), b"told\n" if told else b"not told\n")

    def assertNoCopy(self, program):
        """Nobody else has this command line, dead or alive."""
        same = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != program.pid and self.ppid(pid) == program.pid]
        self.assertEqual(same, [])

    def ppid(self, pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                return int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            return None

    def bounded(self):
        """A memory cgroup that has little more than the program, and how a process gets into it."""
        if not os.access(f"{MEMORY}/cgroup.procs", os.W_OK):
            self.skipTest(f"no memory controller at {MEMORY} to make a group in")
        group = f"{MEMORY}/warm-test-{os.getpid()}"
        os.mkdir(group)
        self.addCleanup(os.rmdir, group)
        with open(f"{group}/memory.limit_in_bytes", "w", encoding="ascii") as limit:
            limit.write(str(100 << 20))

        def enter():
            with open(f"{group}/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write("0")
        return enter


class Fork(Program):
    def snapshot(self, program, *words):
        snap = Snap(program.pid, "--fork", *words)
        self.assertEqual([kind for kind, *_ in snap.reports()], [RELEASED, CAPTURED])
        return snap.summary

    def test_nothing_is_left_of_it(self):
        program = self.start(32)
        before = set(harness.processes())
        summary = self.snapshot(program, "auto")
        for why in WHY.values():
            self.assertNotIn(why.encode(), summary)
        self.assertNoCopy(program)
        mine = {pid for pid, (_, name) in harness.processes().items() if pid not in before and name.startswith("python")}
        self.assertFalse({pid for pid in mine if self.ppid(pid) in (1, program.pid)}, mine)
        self.assertFine(program)

    def test_a_program_that_may_not_fork(self):
        if os.geteuid() != 0:
            self.skipTest("runs a program as another user")
        program = self.start(8, "limited", user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertIn(WHY["limited"].encode(), self.snapshot(program, "always"))
        self.assertNotIn(b"fork", self.snapshot(program, "no"))
        self.assertFine(program)

    def test_a_sigchld_that_waits_stays(self):
        program = self.start(8, "told")
        self.assertIn(WHY["told"].encode(), self.snapshot(program, "always"))
        self.assertFine(program, told=True)

    def test_memory_that_it_may_not_have_twice(self):
        program = self.start(64, preexec_fn=self.bounded())
        self.assertIn(WHY["bounded"].encode(), self.snapshot(program, "always"))
        self.assertFine(program)

    def while_it_reads(self, act):
        """Behind the program's release, while its pages are still being read."""
        program = self.start(200)
        snap = Snap(program.pid, "--fork", "auto")
        kind = REPORT.unpack(snap.ours.recv(4096))[1]
        self.assertEqual(kind, RELEASED)
        act(snap, program)
        return program, snap.reports()

    def test_killed_while_it_reads(self):
        program, reports = self.while_it_reads(lambda snap, _: snap.process.kill())
        self.assertEqual(reports, [], "it was killed too late: the test proves nothing")
        self.assertNoCopy(program)
        self.assertFine(program)

    def test_the_program_ends_while_it_reads(self):
        program, reports = self.while_it_reads(lambda _, program: program.kill())
        self.assertEqual([kind for kind, *_ in reports], [CAPTURED])
        self.assertEqual(program.wait(5), -signal.SIGKILL)


class Shown(WarmCase, Program):
    """In words and in JSON."""
    publish_app = False
    config = "[python]\nprewarm = no\n[snapshot]\nfork = always\n"

    def show(self, program):
        taken = self.daemon.warm("snapshot", str(program.pid))
        self.assertEqual(taken.code, 0, repr(taken))
        name = taken.out.strip()
        return json.loads(self.daemon.warm("--json", "show", name).out), self.daemon.warm("show", name).out

    def test_why_it_stood_still(self):
        shown, text = self.show(self.start(8, "told"))
        self.assertEqual(shown["stopped_reason"], WHY["told"])
        self.assertRegex(text, r"stopped +[0-9.]+ ms while it was taken, while its memory was copied: " + WHY["told"])

    def test_why_not(self):
        shown, text = self.show(self.start(8))
        self.assertIsNone(shown["stopped_reason"])
        self.assertRegex(text, r"stopped +[0-9.]+ ms while it was taken\n")
