# SPDX-License-Identifier: MIT
"""warm-snap is killed at every step that it takes with a program (tests/e2e/killer/killer.c); the program watches itself
(tests/e2e/survivor.c), and so does the Python one. Their memory is kept by a fork (snapshot/keep.h), of which nothing may be
left either."""
import os
import random
import subprocess
import sys
import time
import unittest

import harness
from snap import CAPTURED, RELEASED, Snap, traced

SURVIVOR = os.path.join(harness.BUILD, "tests", "survivor")
FORK = ("--fork", "always")
KILLER = os.path.join(harness.BUILD, "tests", "killer.so")
PYTHON = """
import hashlib, os, sys, threading, time
expected = hashlib.sha256(bytes(100000)).hexdigest()
alive = [0, 0]
def compute():
    while True:
        if hashlib.sha256(bytes(100000)).hexdigest() != expected or sum(0.1 * i for i in range(2000)) != expected_sum:
            os.write(1, b"wrong sum\\n"); os._exit(1)
        alive[0] += 1
def sleep():
    while True:
        time.sleep(0.001)
        alive[1] += 1
expected_sum = sum(0.1 * i for i in range(2000))
for work in (compute, sleep):
    threading.Thread(target=work, daemon=True).start()
os.write(1, b"up\\n")
for line in sys.stdin:
    before = list(alive)
    until = time.monotonic() + 10
    while any(now == then for now, then in zip(alive, before)) and time.monotonic() < until:
        time.sleep(0.001)
    os.write(1, b"fine %d\\n" % sum(alive) if all(n > b for n, b in zip(alive, before)) else b"a thread stands still\\n")
"""


def children(pid):
    """Processes that it has made, and not waited for."""
    return [open(f"/proc/{pid}/task/{tid}/children", encoding="ascii").read() for tid in os.listdir(f"/proc/{pid}/task")
            if open(f"/proc/{pid}/task/{tid}/children", encoding="ascii").read()]


class Killed(unittest.TestCase):
    def start(self, *argv):
        program = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(program.stdin.close)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), b"up\n")
        return program

    def assertFine(self, program, when):
        self.assertFalse(traced(program.pid), when)
        self.assertTrue(harness.wait_for(lambda: not children(program.pid), 5, 0.001), f"{when}: {children(program.pid)}")
        try:
            program.stdin.write(b"\n")
            program.stdin.flush()
        except BrokenPipeError:
            pass
        answer = program.stdout.readline()
        self.assertTrue(answer.startswith(b"fine "), f"{when}: {answer!r}, status {program.poll()}")

    def assertSnapshot(self, program, **how):
        reports = Snap(program.pid, *FORK, **how).reports()
        self.assertEqual([kind for kind, *_ in reports], [RELEASED, CAPTURED], reports)

    def steps(self, program):
        """How many there are to be killed before."""
        ours, theirs = os.pipe()
        self.assertSnapshot(program, env={"LD_PRELOAD": KILLER, "COUNT_FD": str(theirs)}, keep=[theirs])
        os.close(theirs)
        with os.fdopen(ours) as count:
            return int(count.readline())

    def kill_before(self, program, step):
        snap = Snap(program.pid, *FORK, env={"LD_PRELOAD": KILLER, "KILL_AT": str(step)})
        self.assertEqual(snap.reports(), [], f"step {step} was not reached")
        self.assertFine(program, f"warm-snap was killed before step {step}")

    def through_steps(self, program, n_last, n_some):
        """The last ones, in which it is forked and everything is given back, and some of the others: others in each run, and
        all of them where WARM_EVERY_STEP is set."""
        n = self.steps(program) - 5     # the last ones are a matter of luck: what it runs into varies a little
        self.assertGreater(n, 300)
        every = os.environ.get("WARM_EVERY_STEP")
        for step in sorted({*range(n - n_last, n), *(range(1, n) if every else random.sample(range(1, n), n_some))}):
            self.kill_before(program, step)
        self.assertSnapshot(program)
        self.assertFine(program, "after a snapshot")

    def test_at_steps_with_a_program(self):
        self.through_steps(self.start(SURVIVOR), 60, 20)

    def test_at_steps_with_python(self):
        self.through_steps(self.start(sys.executable, "-c", PYTHON), 40, 10)

    def test_at_any_moment(self):
        program = self.start(SURVIVOR)
        for _ in range(30):
            moment = random.uniform(0.001, 0.02)
            snap = Snap(program.pid, *FORK)
            time.sleep(moment)
            snap.process.kill()
            snap.reports()
            self.assertFine(program, f"warm-snap was killed after {moment:.6f} s")
        self.assertSnapshot(program)
        self.assertFine(program, "after a snapshot")
