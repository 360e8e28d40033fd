# SPDX-License-Identifier: MIT
"""Launches out of the ordinary: scripts with a #! line, descriptors that the caller brings, copies that fail on their way."""
import os
import signal
import subprocess

from case import WarmCase, make_snapshot, write
from harness import APP, PYTHON, alive, descendants, program_behind, wait_for

SCRIPT = """#!/usr/bin/python3 -I
import sys
sys.path.insert(0, {path!r})
import warm
print(warm.ready(argv=True), *sys.argv[1:], flush=True)
"""
STANDS_IN = """import os
import warm
os.chdir({folder!r})
print(warm.ready(), flush=True)
"""
HIGH = 251  # the number of a pipe's end that the caller happens to hold


class Scripts(WarmCase):
    publish_app = False

    def script(self, name):
        text = SCRIPT.format(path=self.daemon.env["PYTHONPATH"])
        return write(os.path.join(self.daemon.dir, name), text, 0o755)

    def test_arguments_of_a_script_are_the_launchs(self):
        path = self.script("app.py")
        make_snapshot(self.daemon, path, "one", "two")
        self.daemon.full_pool()
        self.assertEqual(self.assertClone(self.daemon.exec(path, "three")).out, "restored three\n")
        self.daemon.full_pool()
        self.assertEqual(self.assertClone(self.daemon.exec(path)).out, "restored\n")

    def test_script_by_a_relative_path(self):
        self.script("near.py")
        make_snapshot(self.daemon, "./near.py", "one", cwd=self.daemon.dir)
        result = self.daemon.exec("./near.py", "two", cwd=self.daemon.dir)
        self.assertEqual(self.assertClone(result).out, "restored two\n")

    def test_wrapper_that_adds_arguments_needs_the_same_ones(self):
        script = self.script("wrapped.py")
        path = write(os.path.join(self.daemon.dir, "wrapper"), f'#!/bin/sh\nexec {script} "$@" more\n', 0o755)
        make_snapshot(self.daemon, path, "one")
        self.daemon.full_pool()
        self.assertEqual(self.assertClone(self.daemon.exec(path, "one")).out, "restored one more\n")
        result = self.assertCold(self.daemon.exec(path, "two"), "argument 1")
        self.assertIn("two more\n", result.out)


TWO_STREAMS = """import os
import warm
warm.ready()
os.write(1, b"out")
os.write(2, b"err")
"""


class Streams(WarmCase):
    publish_app = False

    def test_one_stream_at_the_snapshot_two_at_the_launch(self):
        """2>&1 when the snapshot was taken says nothing about later launches."""
        script = write(os.path.join(self.daemon.dir, "two.py"), TWO_STREAMS)
        first = self.daemon.popen(PYTHON, script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(first.communicate(timeout=30)[0], b"outerr")
        self.daemon.published(command=script)
        self.daemon.full_pool()
        again = self.daemon.popen(PYTHON, script, options=["--require"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.assertEqual(again.communicate(timeout=30), (b"out", b"err"))


class Descriptors(WarmCase):
    publish_app = False

    def test_inherited_pipe_does_not_prevent_a_snapshot(self):
        """Nor does it end up in it: each launch has its own, or none."""
        def launch(text):
            reader, writer = os.pipe()
            os.dup2(reader, HIGH)
            os.write(writer, text)
            os.close(writer)
            try:
                return self.daemon.exec(APP, "outcome", "file", f"/proc/self/fd/{HIGH}", pass_fds=(HIGH,))
            finally:
                os.close(reader)
                os.close(HIGH)
        self.assertEqual(launch(b"first\n").out, "resumed\nfirst\n")
        self.daemon.published(1)
        self.assertEqual(self.assertClone(launch(b"second\n")).out, "restored\nsecond\n")
        self.daemon.full_pool()
        without = self.assertClone(self.daemon.exec(APP, "outcome", "file", f"/proc/self/fd/{HIGH}"))
        self.assertEqual((without.code, without.out), (4, "restored\n"))


class Failing(WarmCase):
    publish_app = False

    def test_reason_of_a_failed_copy_in_words(self):
        folder = os.path.join(self.folder("far"), "stands-in")
        os.mkdir(folder)
        script = write(os.path.join(self.daemon.dir, "stands.py"), STANDS_IN.format(folder=folder))
        make_snapshot(self.daemon, PYTHON, script)
        os.rmdir(folder)
        self.assertCold(self.daemon.exec(PYTHON, script), "working directory", folder, "no such file")
        self.assertCold(self.daemon.exec(PYTHON, script), "no such file")  # after a failure: cold
        self.daemon.full_pool()
        result = self.daemon.exec(PYTHON, script, options=("--require",))
        self.assertEqual(result.code, 125)
        self.assertOneLine(result.err, "working directory", "no such file")
        os.mkdir(folder)
        self.daemon.full_pool()
        self.daemon.exec(PYTHON, script)
        self.daemon.full_pool()
        self.assertEqual(self.assertClone(self.daemon.exec(PYTHON, script)).out, "restored\n")


class Spawn(WarmCase):
    def test_killed_warm_spawn_ends_warmd_and_no_clone(self):
        launch = self.daemon.popen(APP, "trap")
        self.assertEqual(launch.stdout.readline(), b"trapping\n")
        clone = program_behind(launch)
        warmd = self.daemon.warmd_pid()
        parked = [pid for pid in descendants(self.daemon.process.pid) if pid != warmd]
        self.daemon.process.kill()
        self.daemon.process.wait(5)
        self.daemon.process = None
        self.assertTrue(wait_for(lambda: not alive(warmd), 2), "warmd lives on without its spawner")
        self.assertTrue(alive(clone))
        os.kill(launch.pid, signal.SIGUSR1)
        self.assertIn(b"signal 10 ", launch.stdout.readline())
        os.kill(launch.pid, signal.SIGQUIT)
        launch.communicate(timeout=5)
        self.assertEqual(launch.returncode, 0)
        self.assertTrue(wait_for(lambda: not [pid for pid in parked if alive(pid)], 2), "something stays parked")
