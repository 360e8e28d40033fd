# SPDX-License-Identifier: MIT
"""A test case with a private warmd and, where asked for, a published snapshot of the C application (app.c)."""
import os
import shutil
import unittest

import harness
from harness import APP, CLONE_TIERS, Daemon


class WarmCase(unittest.TestCase):
    """One daemon a class: its tests share it. Set `publish_app` to have app.c's snapshot there from the start."""

    publish_app = True

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()
        if cls.publish_app:
            cls.snapshot = make_snapshot(cls.daemon)

    def setUp(self):
        if self.daemon.process and self.daemon.process.poll() is not None:
            self.daemon.start()
        self.daemon.full_pool()

    def app(self, *words, **keywords):
        return self.daemon.exec(APP, *words, **keywords)

    def assertClone(self, result):
        self.assertIn(result.tier, CLONE_TIERS, f"not a clone: {result!r}")
        return result

    def assertCold(self, result, *words):
        """A cold start, and a reason that names the thing."""
        self.assertEqual(result.tier, "cold_start", repr(result))
        for word in words:
            self.assertIn(word.lower(), (result.reason or "").lower(), repr(result))
        return result

    def assertOneLine(self, text, *words):
        """The one clear line of a failure."""
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("{")]
        self.assertEqual(len(lines), 1, text)
        for word in words:
            self.assertIn(word.lower(), lines[0].lower())

    def folder(self, name):
        path = os.path.join(self.daemon.dir, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path


def make_snapshot(daemon, *argv, **keywords):
    """Launches (app.c, or argv) until a published snapshot with a standby would serve it; returns its row."""
    argv = argv or (APP, "outcome")
    known = {row["id"] for row in daemon.ls()}
    first = daemon.exec(*argv, **keywords)
    if first.code != 0:
        raise AssertionError(f"the first launch failed: {first!r}\n{daemon.log()[-2000:]}")

    def served():
        for row in daemon.ls():
            mine = row["id"] == first.explained.get("snapshot") if first.tier in CLONE_TIERS else (
                row["id"] not in known and row["command"] == list(argv))
            if mine and row["state"] == "published" and row["standbys"]:
                return row
        return None
    row = harness.wait_for(served, 20, 0.02)
    if not row:
        raise AssertionError(f"no snapshot of {argv} was published; cache: {daemon.ls()}\n{daemon.log()[-2000:]}")
    return row


def write(path, content, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


__all__ = ["WarmCase", "make_snapshot", "write", "read", "harness"]
