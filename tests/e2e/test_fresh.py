# SPDX-License-Identifier: MIT
"""A restore is a fork: two clones differ in every random number, and are otherwise what a cold run would be."""
import json
import os
import re
import time

from case import WarmCase, make_snapshot, write
from harness import BUILD, PYTHON, finish

# Every generator is used before the hook, so that what it keeps is in the snapshot.
PROGRAM = """import hashlib, json, os, random, secrets, ssl, sys, tempfile, time, uuid
import numpy
import warm
def draw():
    return {"random": random.random(), "gauss": random.gauss(0, 1), "shuffle": random.sample(range(1000), 20),
            "numpy.random": numpy.random.random(), "numpy.normal": numpy.random.normal(),
            "numpy.default_rng": numpy.random.default_rng().random(), "uuid4": uuid.uuid4().hex, "uuid1": uuid.uuid1().hex,
            "secrets": secrets.token_hex(16), "urandom": os.urandom(16).hex(), "ssl": ssl.RAND_bytes(16).hex(),
            "system": random.SystemRandom().random(), "salt": hashlib.scrypt(b"x", salt=os.urandom(8), n=2, r=1, p=1).hex(),
            "tempfile": tempfile.mktemp()}
random.seed(1)
numpy.random.seed(1)
draw()
clocks = [time.time(), time.monotonic(), time.perf_counter(), time.process_time()]
time.sleep(0.05)
warm.ready(argv=True)
now = [time.time(), time.monotonic(), time.perf_counter(), time.process_time()]
print(json.dumps({"drawn": dict(draw(), generation=warm.generation()), "time": time.time(), "monotonic": time.monotonic(),
                  "forward": [after >= before for before, after in zip(clocks, now)]}))
"""


class Randomness(WarmCase):
    def test_kernel_random_numbers_differ(self):
        seen = [self.assertClone(self.app("random")).out for _ in range(3)]
        self.assertEqual(len(set(seen)), 3)

    def test_generation_differs_and_is_never_zero(self):
        seen = [self.assertClone(self.app("generation")).out for _ in range(3)]
        self.assertEqual(len(set(seen)), 3)
        self.assertNotIn("0\n", seen)

    def test_openssl_of_a_c_program(self):
        dice = os.path.join(BUILD, "tests", "dice")
        make_snapshot(self.daemon, dice)
        seen = []
        for _ in range(4):
            self.daemon.full_pool()
            seen += self.assertClone(self.daemon.exec(dice)).out.split()
        self.assertEqual((len(seen), len(set(seen))), (8, 8), seen)

    def test_python_random_numbers_differ(self):
        script = write(os.path.join(self.daemon.dir, "dice.py"), PROGRAM)
        first = json.loads(self.daemon.exec(PYTHON, script).out)
        self.assertEqual(first["drawn"]["generation"], 0)
        make_snapshot(self.daemon, PYTHON, script)
        seen = [first["drawn"]]
        for _ in range(2):
            self.daemon.full_pool()
            began = time.time(), time.monotonic()
            for launch in [self.daemon.popen(PYTHON, script, options=("--explain",)) for _ in range(3)]:
                said = json.loads(self.assertClone(finish(launch)).out)
                self.assertTrue(began[0] <= said["time"] <= time.time(), said)
                self.assertTrue(began[1] <= said["monotonic"] <= time.monotonic(), said)
                self.assertEqual(said["forward"][:3], [True] * 3, "a clock went backwards")
                seen.append(said["drawn"])
        for name in seen[0]:
            self.assertEqual(len({json.dumps(drawn[name]) for drawn in seen}), 7, f"{name}: {seen}")


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
