# SPDX-License-Identifier: MIT
"""Overlay file systems, as containers have them: their files have no handles to be recorded by. The tests themselves are
in layered.py and test_files.py; here they are given their mounts."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

RECORDED = ["test_edited", "test_replaced", "test_deleted", "test_opened_for_writing_too", "test_only_written",
            "test_read_by_a_child_that_is_gone_at_once", "test_new_name_in_a_directory", "test_its_own_cache_replaced",
            "test_temporary_file"]


class Layered(unittest.TestCase):
    def setUp(self):
        self.room = tempfile.mkdtemp(prefix="warm-layers-")
        self.addCleanup(shutil.rmtree, self.room, True)
        self.beside = os.path.join(self.room, "beside")
        self.layers = os.path.join(self.room, "mounted")
        for path in (self.beside, self.layers):
            os.mkdir(path)

    def within(self, where, options, *tests):
        command = ["unshare", "-m", "--propagation", "private", sys.executable, os.path.join(HERE, "layered.py"), where, options]
        done = subprocess.run([*command, *tests], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=dict(os.environ, WARM_ROOM=self.beside, WARM_LAYERS=self.layers), check=False)
        if "wrong fs type" in done.stdout or "unknown filesystem type" in done.stdout:
            self.skipTest("no overlay file system here: " + done.stdout.splitlines()[0])
        self.assertRegex(done.stdout, r"(?m)^[1-9]\d* passed, 0 failed, 0 skipped$")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_as_the_root(self):
        self.within("root", "", "layered.Root", *["test_files.Recorded." + name for name in RECORDED], "test_files.Spoilt")

    def test_as_the_root_with_handles(self):
        self.within("root", "nfs_export=on,index=on", "test_files.Recorded.test_edited", "test_files.Recorded.test_replaced",
                    "test_files.Recorded.test_own_names_in_a_listed_directory", "layered.Root.test_without_a_hook")

    def test_beside_the_root(self):
        self.within("beside", "", "layered.Beside", "layered.Switched")


if __name__ == "__main__":
    unittest.main()
