# SPDX-License-Identifier: MIT
"""A test case with a private warmd and, where asked for, a published snapshot of the C application (app.c)."""
import os
import shutil
import unittest

import harness
from harness import APP, CLONE_TIERS, Daemon


class WarmCase(unittest.TestCase):
    """One daemon a class: its tests share it. Set `publish_app` to have app.c's snapshot there from the start, `from_disk`
    where no copy is to be one of a template."""

    publish_app = True
    config = None   # of warmd; None: as most tests want it
    from_disk = False

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(config=cls.config, from_disk=cls.from_disk)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()
        if cls.publish_app:
            cls.snapshot = make_snapshot(cls.daemon)

    def setUp(self):
        if self.daemon.process is None or self.daemon.process.poll() is not None:
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
        """The one clear line of a failure, with these words, or what looks like refusal()."""
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("{")]
        self.assertEqual(len(lines), 1, text)
        for word in words:
            if isinstance(word, str):
                self.assertIn(word.lower(), lines[0].lower())
            else:
                self.assertRegex(lines[0], word)

    def folder(self, name):
        path = os.path.join(self.daemon.dir, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path


def make_snapshot(daemon, *argv, **keywords):
    """Launches (app.c, or argv) until what comes is a clone; returns the row of its snapshot, a standby ready."""
    argv = argv or (APP, "outcome")
    last = None

    def served():
        nonlocal last
        last = daemon.exec(*argv, **keywords)
        if last.code != 0:
            raise AssertionError(f"a launch of {argv} failed: {last!r}\n{daemon.log()[-2000:]}")
        return last.tier in CLONE_TIERS
    if not harness.wait_for(served, 20, 0.1):
        raise AssertionError(f"{argv} never became a clone: {last!r}\ncache: {daemon.ls()}\n{daemon.log()[-2000:]}")
    daemon.full_pool()
    return [row for row in daemon.ls() if row["id"] == last.explained["snapshot"]][0]


def write(path, content, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


__all__ = ["WarmCase", "make_snapshot", "write", "read", "harness"]
