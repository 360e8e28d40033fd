# SPDX-License-Identifier: MIT
"""Tests that are run with an overlay mounted, in a mount namespace of their own: test_layered.py starts them there.

    layered.py root OPTIONS TEST...     the root file system is an overlay over the machine's
    layered.py beside OPTIONS TEST...   one is mounted on $WARM_LAYERS, beside the machine's
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import harness
import test_files
from case import WarmCase, make_snapshot, write
from harness import OPENER, wait_for

LAYERS = os.environ.get("WARM_LAYERS", "")
NO_HOOK = ["/bin/sh", "-c", 'read text < "$1"; read line; echo "$text"', "sh"]  # and a file


class Without(test_files.Files):
    """Programs without a hook."""
    ready = ("--explain", "--ready", "after:0.2")

    def plain(self, file, **keywords):
        return self.daemon.popen(*NO_HOOK, file, options=self.ready, stdin=subprocess.PIPE, **keywords)

    def cold_run(self, file, **keywords):
        """A first launch, and what the daemon says of its snapshot."""
        said = len(self.daemon.log())
        first = self.plain(file, **keywords)
        self.assertTrue(wait_for(lambda: re.search("no snapshot|of /bin/sh is published", self.daemon.log()[said:]), 10),
                        self.daemon.log()[said:])
        self.assertCold(harness.finish(first, b"\n"))
        return self.daemon.log()[said:]

    def shown(self):
        rows = self.daemon.published(1)
        return json.loads(self.daemon.warm("--json", "show", rows[0]["id"]).out)


class Root(Without):
    def test_doctor_says_how(self):
        self.assertIn("watched by descriptors", self.daemon.warm("doctor").out)

    def test_without_a_hook(self):
        self.assertIn("of /bin/sh is published", self.cold_run(self.file))
        self.assertEqual(self.shown()["not_recorded"], [])
        self.assertClone(harness.finish(self.plain(self.file), b"\n"))
        self.daemon.full_pool()
        write(self.file, "new\n")
        result = harness.finish(self.plain(self.file), b"\n")
        self.assertEqual(self.assertCold(result, self.file).out, "new\n")

    def test_own_names_in_a_listed_directory(self):
        """At the first start nobody knows when they came; at the second one they are there."""
        words = ("list", self.home, "save", self.path("pid"), "1")
        make_snapshot(self.daemon, OPENER, *words)
        os.unlink(self.path("pid"))
        self.assertCold(self.opener(*words), "has other entries")


class Beside(Without):
    def setUp(self):
        super().setUp()
        self.inside = write(os.path.join(LAYERS, "settings.txt"), "old\n")

    def test_doctor_says_what_is_not_seen(self):
        self.assertIn(f"missing  opened-files: {LAYERS} (overlay): ", self.daemon.warm("doctor").out)

    def test_the_hook_declares(self):
        make_snapshot(self.daemon, OPENER, "read", self.inside)
        shown = self.shown()
        self.assertEqual([words.split(":")[0] for words in shown["not_recorded"]], [f"{LAYERS} (overlay)"])
        self.assertIn(f"not recorded {LAYERS} (overlay): ", self.daemon.warm("show", shown["id"]).out)

    def test_without_a_hook(self):
        """Refused where it stands there, or is told of a file there: not because there is such a mount."""
        self.assertIn("of /bin/sh is published", self.cold_run(self.file))
        self.assertEqual(self.shown()["not_recorded"], [])
        for file, cwd in ((self.inside, "/"), ("settings.txt", LAYERS)):
            said = self.cold_run(file, cwd=cwd)
            self.assertRegex(said, f"no snapshot .*: what it opens on {LAYERS} .* not recorded, .*record-opened = no")


class Switched(Without):
    """record-opened = no is the owner's word that it matters to nobody."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.stop()
        with open(cls.daemon.options[1], "a", encoding="utf-8") as config:
            config.write("[snapshot]\nrecord-opened = no\n")

    def test_without_a_hook(self):
        self.assertIn("of /bin/sh is published", self.cold_run(write(os.path.join(LAYERS, "settings.txt"), "old\n")))
        self.assertEqual(self.shown()["not_recorded"], ["anywhere: record-opened = no"])


def run(*argv):
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def mount_root(room, options):
    root = os.path.join(room, "root")
    os.mkdir(root)
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={room}/upper,workdir={room}/work{options}", root)
    for path in ("proc", "sys", "dev"):
        run("mount", "--rbind", "/" + path, os.path.join(root, path))
    os.chdir(root)
    os.makedirs("run/old-root")
    run("pivot_root", ".", "run/old-root")
    os.chroot(".")
    os.chdir("/")
    run("umount", "-l", "/run/old-root")


def main():
    where, options, *tests = sys.argv[1:]
    room = os.environ["WARM_ROOM"]
    run("mount", "-t", "tmpfs", "tmpfs", room)
    for name in ("upper", "work", "lower"):
        os.mkdir(os.path.join(room, name))
    options = options and "," + options
    if where == "root":
        mount_root(room, options)
    else:
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={room}/lower,upperdir={room}/upper,workdir={room}/work{options}",
            LAYERS)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, os.path.join(HERE, "run.py"), *tests])


if __name__ == "__main__":
    main()

__all__ = ["WarmCase"]
