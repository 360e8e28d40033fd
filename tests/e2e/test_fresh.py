# SPDX-License-Identifier: MIT
"""A restore is a fork: two clones differ in every random number, and are otherwise what a cold run would be."""
import os
import re

from case import WarmCase, make_snapshot, write
from harness import PYTHON

PROGRAM = """import os, random, secrets, sys, uuid
import numpy
import warm
before = (random.random(), numpy.random.random(), uuid.uuid4().hex)
warm.ready(argv=True)
print(random.random())
print(numpy.random.random())
print(uuid.uuid4().hex)
print(secrets.token_hex(16))
print(os.urandom(16).hex())
print(random.SystemRandom().random())
"""


class Randomness(WarmCase):
    def test_kernel_random_numbers_differ(self):
        seen = [self.assertClone(self.app("random")).out for _ in range(3)]
        self.assertEqual(len(set(seen)), 3)

    def test_generation_differs_and_is_never_zero(self):
        seen = [self.assertClone(self.app("generation")).out for _ in range(3)]
        self.assertEqual(len(set(seen)), 3)
        self.assertNotIn("0\n", seen)

    def test_python_random_numbers_differ(self):
        script = write(os.path.join(self.daemon.dir, "dice.py"), PROGRAM)
        make_snapshot(self.daemon, PYTHON, script)
        seen = [self.assertClone(self.daemon.exec(PYTHON, script)).out.split() for _ in range(3)]
        for line in range(6):
            self.assertEqual(len({numbers[line] for numbers in seen}), 3, f"line {line}: {seen}")


class LikeACold(WarmCase):
    # What may differ: ids of the process and its relatives, what depends on the moment, counters of its past.
    VARIES = re.compile(r"^(Pid|Tgid|Ngid|PPid|TracerPid|NSpid|NStgid|NSpgid|NSsid|Vm\w+|Rss\w+|HugetlbPages|SigQ|"
                        r"voluntary_ctxt_switches|nonvoluntary_ctxt_switches|CoreDumping|Mems_allowed|FDSize|untag_mask)\b")

    def both(self, path):
        cold = self.app("file", path, options=("--cold", "--explain"))
        clone = self.assertClone(self.app("file", path))
        return cold.out.splitlines(), clone.out.splitlines()

    def test_status(self):
        cold, clone = [[line for line in lines if not self.VARIES.match(line)] for lines in self.both("/proc/self/status")]
        self.assertEqual(clone, cold)

    def test_limits(self):
        cold, clone = self.both("/proc/self/limits")
        self.assertEqual(clone, cold)

    def test_mountinfo(self):
        def without_ids(lines):
            seen = [line.split() for line in lines]
            return sorted(" ".join(f[3:6] + f[f.index("-"):]) for f in seen if f[4] != "/proc" and not f[4].startswith("/proc/"))
        cold, clone = self.both("/proc/self/mountinfo")
        self.assertEqual(without_ids(clone), without_ids(cold))
        proc = [line for line in clone if line.split()[4] == "/proc"]
        self.assertTrue(proc and " proc " in proc[-1], proc)

    def test_cgroup(self):
        cold, clone = self.both("/proc/self/cgroup")
        self.assertEqual(clone, cold)

    def test_oom_score(self):
        cold, clone = self.both("/proc/self/oom_score_adj")
        self.assertEqual(clone, cold)

    def test_own_proc(self):
        """The private /proc shows the clone's own pid namespace."""
        result = self.assertClone(self.app("pid", "file", "/proc/self/comm"))
        self.assertEqual(result.out.splitlines()[1], "app")
        self.assertEqual(result.out.split()[1], "1")
        self.assertTrue(self.app("file", "/proc/1/comm").out.startswith("warm-init"))
