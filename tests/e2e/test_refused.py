# SPDX-License-Identifier: MIT
"""A refusal leaves the program as it was: every victim that has to be refused (tests/victims/*.c, "victim: refused"), and
what can be wrong with a process as a whole. Looked at from outside before and after, and the program goes on."""
import glob
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from snap import FAILED, Snap, state
from test_hook import PENDING, wire

SAME_STATUS = ("State", "TracerPid", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapPrm", "CapEff", "NoNewPrivs",
               "Seccomp")
VICTIMS = os.path.join(harness.ROOT, "tests", "victims")


def refused_victims():
    found = {}
    for path in sorted(glob.glob(os.path.join(VICTIMS, "*.c"))):
        with open(path, encoding="utf-8") as source:
            match = re.search(r"victim:[^*]*?\brefused\s+([^\s*]+)", source.read(1000))
        if match:
            found[os.path.basename(path)[:-2]] = match.group(1)
    return found


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def seen(pid):
    """What a refusal may not change: threads and their state, areas, descriptors with all that /proc says of them."""
    threads = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        lines = dict(line.split(":", 1) for line in text_of(f"/proc/{pid}/task/{tid}/status").splitlines())
        threads[tid] = {name: lines[name].strip() for name in SAME_STATUS}
        if threads[tid]["State"][0] in "RS":    # it may just be on its way into a wait, or out of the freeze
            threads[tid]["State"] = "not stopped"
    descriptors = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        descriptors[fd] = (os.readlink(f"/proc/{pid}/fd/{fd}"), text_of(f"/proc/{pid}/fdinfo/{fd}"))
    return {"threads": threads, "descriptors": descriptors, "areas": text_of(f"/proc/{pid}/maps"),
            "timers": text_of(f"/proc/{pid}/timers")}


class InTheHook:
    """A victim that waits in the hook for a daemon, us, that says nothing more."""

    def __init__(self, name, directory):
        path = os.path.join(directory, "sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(0.05)
            self.process = subprocess.Popen([os.path.join(harness.BUILD, "tests", "victims", name)], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, cwd=directory, env=dict(os.environ, WARM_SOCKET=path))
            self.connection = None
            while not self.connection:
                try:
                    self.connection = listener.accept()[0]
                except TimeoutError:
                    if self.process.poll() is not None:
                        return              # it has skipped itself
        kind = wire.HELLO
        while kind in (wire.HELLO, wire.DEPENDS):
            (kind, _), = wire.fields(self.connection.recv(1 << 20)[4:])
            if kind == wire.HELLO:
                self.connection.send(PENDING)
        harness.wait_for(lambda: state(self.process.pid) == "S", 5)
        self.hook_fd = max(int(fd) for fd in os.listdir(f"/proc/{self.process.pid}/fd")
                           if os.readlink(f"/proc/{self.process.pid}/fd/{fd}").startswith("socket:"))

    def go_on(self):
        """What it says in the end."""
        if self.connection:
            self.connection.close()
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out.decode()


class Refused(unittest.TestCase):
    def assertRefused(self, pid, words, *more):
        before = seen(pid)
        reports = Snap(pid, *more).reports()
        self.assertEqual([kind for kind, *_ in reports], [FAILED], reports)
        self.assertIn(words.lower(), reports[0][2].lower())
        after = seen(pid)
        for what, was in before.items():
            self.assertEqual(after[what], was, what)

    def program(self, source):
        program = subprocess.Popen([sys.executable, "-c", "import os, sys\n" + source], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        for cleanup in (program.stdin.close, program.stdout.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        self.assertEqual(program.stdout.readline(), b"up\n")
        harness.wait_for(lambda: state(program.pid) in "SZ", 5)
        time.sleep(0.05)
        return program

    def assertGoesOn(self, program):
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")

    def test_every_victim_that_is_refused(self):
        victims = refused_victims()
        self.assertGreater(len(victims), 10)
        for name, words in victims.items():
            with self.subTest(name), tempfile.TemporaryDirectory(prefix="warm-refused.") as directory:
                victim = InTheHook(name, directory)
                try:
                    if victim.connection:
                        self.assertRefused(victim.process.pid, words, "--hook-fd", str(victim.hook_fd))
                    code, out = victim.go_on()
                    self.assertTrue((code, out) == (0, "PASS\n") or code == 77, f"{name}: {code} {out}")
                finally:
                    victim.process.kill()
                    victim.process.wait()

    def test_a_program_that_is_traced(self):
        program = self.program('os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")')
        strace = subprocess.Popen(["strace", "-f", "-o", os.devnull, "-p", str(program.pid)], stderr=subprocess.DEVNULL)
        self.addCleanup(strace.wait)
        self.addCleanup(strace.terminate)
        self.assertTrue(harness.wait_for(lambda: "TracerPid:\t0\n" not in text_of(f"/proc/{program.pid}/status"), 10))
        harness.wait_for(lambda: state(program.pid) == "S", 5)
        self.assertRefused(program.pid, "traced already")
        self.assertGoesOn(program)

    def test_memory_that_the_parent_shares(self):
        program = self.program("""if True:
            import mmap, signal
            memory = mmap.mmap(-1, 8192)
            memory[5000] = 7
            child = os.fork()
            if child:
                os.write(1, b"up\\n%d\\n" % child)
                sys.stdin.readline()
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                os.write(1, b"on\\n")
            else:
                signal.pause()
            """)
        child = int(program.stdout.readline())
        harness.wait_for(lambda: state(child) == "S", 5)
        self.assertRefused(child, f"shares anonymous memory with process {program.pid}")
        self.assertGoesOn(program)

    def test_a_program_that_dispatches_its_system_calls(self):
        program = self.program("""
import ctypes
libc = ctypes.CDLL(None)
off = ctypes.c_char(0)
if libc.prctl(59, 1, 0, 0, ctypes.byref(off)):      # PR_SET_SYSCALL_USER_DISPATCH, the selector says: let it pass
    os.write(1, b"up\\n"); sys.exit("no such call here")
os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")
""")
        self.assertRefused(program.pid, "dispatches")
        self.assertGoesOn(program)

    def test_a_program_whose_main_thread_has_ended(self):
        program = self.program("""
import ctypes, threading
def stay():
    os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n"); os._exit(0)
threading.Thread(target=stay).start()
ctypes.CDLL(None).syscall(60, 0)
""")
        self.assertTrue(harness.wait_for(lambda: state(program.pid) == "Z", 5))
        reports = Snap(program.pid).reports()
        self.assertEqual([kind for kind, *_ in reports], [FAILED], reports)
        self.assertGoesOn(program)

    def test_a_program_that_makes_children_by_vfork(self):
        program = self.program("""
import subprocess
os.write(1, b"up\\n")
sys.stdin.readline()
bad = sum(subprocess.run(["/bin/true"]).returncode for _ in range(150))    # Python uses vfork
os.write(1, b"on\\n" if bad == 0 else b"a child failed\\n")
""")
        program.stdin.write(b"\n")
        program.stdin.flush()
        for _ in range(20):
            Snap(program.pid).reports()     # taken or refused
        self.assertEqual(program.stdout.readline(), b"on\n")

    def test_no_such_process(self):
        gone = subprocess.Popen(["/bin/true"])
        gone.wait()
        (kind, _, text), = Snap(gone.pid).reports()
        self.assertEqual(kind, FAILED)
        self.assertIn(str(gone.pid), text)

    def test_a_stopped_program(self):
        program = self.program('os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")')
        os.kill(program.pid, signal.SIGSTOP)
        self.assertTrue(harness.wait_for(lambda: state(program.pid) == "T", 5))
        reports = Snap(program.pid).reports()
        self.assertEqual([kind for kind, *_ in reports], [FAILED], reports)
        self.assertTrue(harness.wait_for(lambda: state(program.pid) == "T", 5))
        os.kill(program.pid, signal.SIGCONT)
        self.assertGoesOn(program)
