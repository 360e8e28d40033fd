# SPDX-License-Identifier: MIT
"""How many standbys wait, and why: what `warm pool` pins, what a restarted daemon knows, what goes when nobody launches."""
import json
import os
import sqlite3
import struct
import sys
import time
import unittest

from case import WarmCase, make_snapshot
from harness import Daemon, wait_for

STRETCHES, RUSHES = 123, 32
SHORT_MS = 32768


def stretch_of(seconds):
    """Its number in policy/arrivals.h."""
    units = int(seconds * 1000) // (SHORT_MS // 8)
    top = units.bit_length() - 1
    return (top - 3) * 8 + (units >> (top - 3) & 7)


def packed(seconds, n):
    """arrivals_pack() of n launches, so many seconds from one to the next."""
    idle = [0] * STRETCHES
    idle[stretch_of(seconds)] = 256 * n
    rush = [256 * n] + [0] * (RUSHES - 1)
    return struct.pack(f"<IHH{STRETCHES}H{RUSHES}H", 0x31415257, 600000 // 16, 0, *idle, *rush)


class TestPinned(WarmCase):
    def show(self):
        return json.loads(self.daemon.warm("--json", "show", self.snapshot["id"]).out)

    def standbys(self, n):
        return wait_for(lambda: self.show()["standbys"] == n, 10)

    def test_number_is_pinned_and_said(self):
        self.assertEqual(self.show()["standbys_wanted"], 3)
        self.assertIn("behind each launch; how they come is not known yet", self.show()["pool"])
        self.assertTrue(self.standbys(3), self.show())
        done = self.daemon.warm("pool", self.snapshot["id"], "5")
        self.assertIn("of 5 standbys", done.out)
        self.assertIn("(pinned)", done.out)
        self.assertTrue(self.standbys(5), self.show())
        self.daemon.warm("pool", self.snapshot["id"], "0")
        self.assertTrue(self.standbys(0), self.show())
        self.assertEqual((self.show()["pool"], self.show()["standbys_wanted"]), ("pinned", 0))
        stats = json.loads(self.daemon.warm("--json", "stats").out)
        self.assertEqual((stats["templates"], stats["standbys"]), (1, 0))
        self.assertIn("of 0; pinned", self.daemon.warm("show", self.snapshot["id"]).out)


class TestRestarted(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        self.snapshot = make_snapshot(self.daemon)["id"]

    def show(self):
        return json.loads(self.daemon.warm("--json", "show", self.snapshot).out)

    def templates(self):
        return json.loads(self.daemon.warm("--json", "stats").out)["templates"]

    def restart(self, arrivals=None, ago=0):
        self.daemon.stop()
        if arrivals is not None:
            catalog = sqlite3.connect(os.path.join(self.daemon.root, "catalog.db"))
            with catalog:
                catalog.execute("UPDATE snapshot SET arrivals = ?, last_used = ?", (arrivals, int(time.time()) - ago))
            catalog.close()
        self.daemon.start()

    def test_nothing_is_made_until_it_is_launched_again(self):
        self.restart()
        time.sleep(1.5)     # the pool is looked at every second
        self.assertEqual((self.templates(), self.show()["standbys_wanted"]), (0, 0))
        self.assertIn("none: not launched for long, or since the daemon's start", self.show()["pool"])
        self.assertEqual(self.daemon.exec(*self.show()["command"]).code, 0)
        self.assertTrue(wait_for(lambda: self.show()["standbys"] == 3, 10), self.show())

    def test_timers_launch_is_expected(self):
        self.restart(packed(3600, 20), ago=3590)
        self.assertTrue(wait_for(lambda: self.show()["standbys"] == 1, 10), (self.show(), self.daemon.log()))
        self.assertRegex(self.show()["pool"], r"the next launch is expected: \d+ min to \d+ min behind the last one")
        launched = self.daemon.exec(*self.show()["command"])
        self.assertEqual(launched.tier, "hot", launched)
        # Behind it there is nothing to wait for until the next hour; the daemon has written down that it came.
        self.assertTrue(wait_for(lambda: self.templates() == 0, 5), self.show())
        self.assertRegex(self.show()["pool"], r"none: the next launch is expected \d+ min to \d+ min behind the last one")
        self.restart()
        self.assertRegex(self.show()["pool"], r"none: the next launch is expected")

    def test_rare_launches_hold_nothing(self):
        self.restart(packed(3 * 86400, 20), ago=100)
        self.assertEqual(self.show()["pool"], "none: launches come too rarely for its size")
        launched = self.daemon.exec(*self.show()["command"])
        self.assertEqual((launched.code, launched.tier), (0, "cold_restore"), launched)
        time.sleep(1.5)
        self.assertEqual(self.templates(), 0, self.show())

    def test_damaged_arrivals_are_learnt_anew(self):
        self.restart(b"\xff" * 318, ago=10)
        launched = self.daemon.exec(*self.show()["command"])
        self.assertEqual(launched.code, 0, launched)
        self.assertIn("how they come is not known yet", self.show()["pool"])


if __name__ == "__main__":
    sys.exit(unittest.main())
