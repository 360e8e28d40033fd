# SPDX-License-Identifier: MIT
"""What standbys know of launches: what these write, and, from one that was made from disk, what they read; huge pages."""
import json
import os
import unittest

from case import WarmCase, write
from harness import APP, PYTHON, CLONE_TIERS, descendants, finish, processes, wait_for

READS = """import os, sys
import warm
parts = [os.urandom(4096) * 64 for _ in range(100)]
total, first = sum(part[::4096][0] for part in parts), parts[0][0]
warm.ready(argv=True)
print(sys.argv[1:], total == sum(part[::4096][0] for part in parts[1:]) + first, len(parts))
"""
DENSE = """import mmap, os, sys
import warm
place = mmap.mmap(-1, 32 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
place[:] = os.urandom(1 << 20) * 32
copy = place[12345:12345 + (1 << 20)]
warm.ready(argv=True)
place[17 << 20] = 7
print(sys.argv[1:], copy == place[12345:12345 + (1 << 20)], place[17 << 20])
"""
LEARNT = "what it reads is learnt from this launch"


def huge_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith("AnonHugePages:"))
    except OSError:     # a worker that has ended meanwhile
        return 0


class Learning(WarmCase):
    def show(self, snapshot):
        return json.loads(self.daemon.warm("--json", "show", snapshot["id"]).out)

    def published_script(self, name, text):
        script = write(os.path.join(self.daemon.dir, name), text)
        first = self.daemon.exec(PYTHON, script, "first")
        self.assertEqual(first.code, 0, repr(first))
        return script, self.daemon.published(command=script)[0]

    def test_first_launch_is_learnt_from(self):
        script, snapshot = self.published_script("reads.py", READS)
        once = self.daemon.exec(PYTHON, script, "once")
        self.assertEqual((once.tier, once.reason, once.out), ("cold_restore", LEARNT, "['once'] True 100\n"), repr(once))
        self.assertTrue(wait_for(lambda: self.show(snapshot)["learnt_launches"] == 1, 20), self.daemon.log()[-1000:])
        self.assertGreater(self.show(snapshot)["learnt_bytes"], 100 * 4096)
        self.daemon.full_pool()
        processes_ = [self.daemon.popen(PYTHON, script, str(i), options=("--explain",)) for i in range(3)]
        for i, result in enumerate(map(finish, processes_)):
            self.assertEqual((result.out, result.tier in CLONE_TIERS, result.reason == LEARNT), (f"['{i}'] True 100\n", True, False), repr(result))

    def test_what_a_short_program_writes_is_seen(self):
        """It is over before anybody could look."""
        self.assertTrue(wait_for(lambda: self.app("outcome").code == 0 and self.daemon.full_pool() and self.show(self.snapshot)["working_set_bytes"], 20),
                        self.show(self.snapshot))


class Huge(WarmCase):
    publish_app = False
    config = "[python]\nprewarm = no\n[pool]\nhuge-pages = always\n"

    def test_templates_are_in_huge_pages(self):
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as enabled:
            if "[never]" in enabled.read():
                self.skipTest("this kernel gives no huge pages: transparent_hugepage/enabled is never")
        script = write(os.path.join(self.daemon.dir, "dense.py"), DENSE)
        self.assertEqual(self.daemon.exec(PYTHON, script, "first").out, "['first'] True 7\n")
        snapshot = self.daemon.published(command=script)[0]
        for i in range(4):
            self.daemon.full_pool()
            result = self.daemon.exec(PYTHON, script, str(i))
            self.assertEqual((result.out, result.tier in CLONE_TIERS), (f"['{i}'] True 7\n", True), repr(result))
        self.assertTrue(json.loads(self.daemon.warm("--json", "show", snapshot["id"]).out)["huge_pages"])
        templates = [pid for pid in descendants(self.daemon.process.pid)
                     if processes().get(pid, (0, ""))[1] not in ("warm-restore", "warmd", "warm-init", "warm-pager", "warm-opened", "warm-snap")]
        self.assertGreaterEqual(max(map(huge_kib, templates)), 28 << 10, templates)


class Tried(WarmCase):
    """auto: templates of either kind are made, and one is stayed with."""
    publish_app = False

    def test_both_are_tried(self):
        script = write(os.path.join(self.daemon.dir, "dense.py"), DENSE)
        self.daemon.exec(PYTHON, script, "first")
        snapshot = self.daemon.published(command=script)[0]

        def huge_after_a_launch():
            result = self.daemon.exec(PYTHON, script, "again")
            self.assertEqual((result.out, result.tier in CLONE_TIERS), ("['again'] True 7\n", True), repr(result))
            self.daemon.full_pool()
            return json.loads(self.daemon.warm("--json", "show", snapshot["id"]).out)["huge_pages"]
        self.assertTrue(wait_for(huge_after_a_launch, 60), self.daemon.log()[-1000:])


if __name__ == "__main__":
    unittest.main()
