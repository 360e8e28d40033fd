# SPDX-License-Identifier: MIT
"""warm-snap by hand, on programs in the middle of something: whatever happens to them while they are stopped, they go on
as if nothing had been."""
import os
import signal
import subprocess
import sys
import time
import unittest

import harness
from case import WarmCase
from snap import CAPTURED, FAILED, RELEASED, Snap, state, traced, tracer

KILLER = os.path.join(harness.BUILD, "tests", "killer.so")
BIG = 300 << 20  # bytes: long enough stopped that something can happen meanwhile


def start(source, *argv):
    program = subprocess.Popen([sys.executable, "-c", source, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               close_fds=True)
    assert program.stdout.readline() == b"up\n"
    return program


class Big(unittest.TestCase):
    def big(self, rest):
        program = start(f"""
import os, signal, sys
hog = bytearray(os.urandom(1 << 20)) * {BIG >> 20}
{rest}
""")
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        return program


class Freeze(Big):
    def while_stopped(self, program, act, refusal=None):
        """Does something to the program at a moment at which it is stopped, and lets the snapshot go on. refusal: where it
        may end with these words."""
        snap = Snap(program.pid, "--fork", "no")
        self.assertTrue(harness.wait_for(lambda: traced(program.pid), 10, 0.0005))
        act()
        self.assertTrue(traced(program.pid), "it was let go too early: the test proves nothing")
        reports = snap.reports()
        if refusal and reports[-1][0] == FAILED:
            self.assertIn(refusal, reports[-1][2])
        else:
            self.assertEqual([kind for kind, *_ in reports], [RELEASED, CAPTURED], reports)

    def test_a_signal_while_stopped_interrupts_a_pause(self):
        program = self.big("""
signal.signal(signal.SIGUSR1, lambda *_: None)
os.write(1, b"up\\n")
signal.pause()
os.write(1, b"woken\\n")
""")
        time.sleep(0.1)
        self.while_stopped(program, lambda: os.kill(program.pid, signal.SIGUSR1), "signal 10 (USR1) from another process")
        self.assertEqual(program.stdout.readline(), b"woken\n")

    def test_a_stop_while_stopped_stays_a_stop(self):
        program = self.big('os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")')
        self.while_stopped(program, lambda: os.kill(program.pid, signal.SIGSTOP))
        self.assertTrue(harness.wait_for(lambda: state(program.pid) == "T", 5))
        os.kill(program.pid, signal.SIGCONT)
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")

    def test_sigterm_to_the_worker_harms_nobody(self):
        program = self.big('os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")')
        snap = Snap(program.pid, "--fork", "no")
        self.assertTrue(harness.wait_for(lambda: traced(program.pid), 10, 0.0005))
        snap.process.terminate()
        snap.reports()
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")

    def test_sigkill_of_the_worker_while_it_copies_harms_nobody(self):
        program = self.big('os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")')
        snap = Snap(program.pid, "--fork", "no")
        self.assertTrue(harness.wait_for(lambda: traced(program.pid), 10, 0.0005))
        time.sleep(0.03)  # past the first steps, which take a few milliseconds: 300 MiB are being copied
        self.assertTrue(traced(program.pid), "it was let go too early: the test proves nothing")
        snap.process.kill()
        snap.reports()
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")

    def test_a_worker_that_was_stopped_goes_on(self):
        """For longer than a thread may take to stop, while it waits for that."""
        program = start('import os, sys; os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")')
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        snap = Snap(program.pid, env={"LD_PRELOAD": KILLER, "STOP_WAITING": "1"})
        self.assertTrue(harness.wait_for(lambda: state(snap.process.pid) == "T", 10))
        time.sleep(1.1)
        snap.process.send_signal(signal.SIGCONT)
        self.assertEqual([kind for kind, *_ in snap.reports()], [RELEASED, CAPTURED])
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")

    def test_a_sleep_is_not_cut_short(self):
        program = start("""
import os, time
os.write(1, b"up\\n")
began = time.monotonic()
time.sleep(1.5)
os.write(1, b"%.2f\\n" % (time.monotonic() - began))
""")
        self.addCleanup(program.wait)
        until, n = time.monotonic() + 1, 0
        while time.monotonic() < until:
            reports = Snap(program.pid).reports()
            self.assertEqual([kind for kind, *_ in reports], [RELEASED, CAPTURED], reports)
            n += 1
        self.assertGreater(n, 1)
        slept = float(program.stdout.readline())
        self.assertGreaterEqual(slept, 1.5)
        self.assertLess(slept, 2.5)

    def test_busy_threads_go_on_through_a_hundred_snapshots(self):
        program = start("""
import hashlib, os, threading
expected = hashlib.sha256(bytes(100000)).hexdigest()
stop = wrong = 0
def work():
    global wrong
    while not stop:
        wrong += hashlib.sha256(bytes(100000)).hexdigest() != expected
        threading.Thread(target=lambda: None).start()
workers = [threading.Thread(target=work) for _ in range(4)]
for w in workers: w.start()
os.write(1, b"up\\n")
os.read(0, 1)
stop = 1
for w in workers: w.join()
os.write(1, b"wrong %d\\n" % wrong)
""")
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        for _ in range(100):
            kinds = [kind for kind, *_ in Snap(program.pid).reports()]
            self.assertEqual(kinds, [RELEASED, CAPTURED])
        program.stdin.write(b"x")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"wrong 0\n")

    def test_a_stopped_program_is_refused_and_stays_stopped(self):
        program = start('import os, sys; os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")')
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        os.kill(program.pid, signal.SIGSTOP)
        self.assertTrue(harness.wait_for(lambda: state(program.pid) == "T", 5))
        (kind, _, text), = Snap(program.pid).reports()
        self.assertEqual(kind, FAILED)
        self.assertIn("stopped", text)
        self.assertTrue(harness.wait_for(lambda: state(program.pid) == "T", 5))
        os.kill(program.pid, signal.SIGCONT)
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")


class Hanging(WarmCase, Big):
    """A worker that hangs does not hold its program for ever."""
    publish_app = False
    config = "[python]\nprewarm = no\n[snapshot]\nfork = no\n"

    def test_stopped_while_it_copies(self):
        held = []
        for how in ((), ("--stop",)):
            program = self.big(f'os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")  # {how}')
            asker = subprocess.Popen([harness.WARM, "snapshot", *how, str(program.pid)], env=self.daemon.env,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(harness.kill_quietly, asker.pid)
            self.assertTrue(harness.wait_for(lambda: traced(program.pid), 10, 0.0005))
            worker = tracer(program.pid)
            os.kill(worker, signal.SIGSTOP)
            self.addCleanup(harness.kill_quietly, worker)
            self.assertTrue(traced(program.pid), "it was let go too early: the test proves nothing")
            held.append((program, asker))
        for program, asker in held:
            done = harness.finish(asker, timeout=20)
            self.assertEqual(done.code, 1, repr(done))
            self.assertOneLine(done.err, "warm-snap was stopped for 5 s and was killed", "try again")
            program.stdin.write(b"\n")
            program.stdin.flush()
            self.assertEqual(program.stdout.readline(), b"on\n")
            self.assertEqual(program.wait(10), 0)
