# SPDX-License-Identifier: MIT
"""Exactly one of clone and cold start ever runs, whatever happens to the daemon meanwhile."""
import collections
import os
import random
import signal
import time

from case import WarmCase, read
from harness import APP, finish, wait_for


class ExactlyOnce(WarmCase):
    def launch(self, path, n):
        return [self.daemon.popen(APP, "append", path, f"launch-{i}", "exit", "0") for i in range(n)]

    def check(self, path, n, processes):
        results = [finish(process) for process in processes]
        wait_for(lambda: read(path).count("\n") >= n, 2)
        time.sleep(0.2)
        counts = collections.Counter(read(path).split())
        self.assertEqual([result.code for result in results], [0] * n, results)
        self.assertEqual([counts[f"launch-{i}"] for i in range(n)], [1] * n, results)

    def test_daemon_killed_at_random_moments(self):
        dice = random.Random(7)
        for attempt in range(12):
            path = os.path.join(self.daemon.dir, f"effects-{attempt}")
            processes = self.launch(path, 6)
            time.sleep(dice.uniform(0, 0.012))
            os.kill(self.daemon.warmd_pid(), signal.SIGKILL)
            self.check(path, 6, processes)
            self.daemon.process.wait(5)  # warm-spawn ends with it
            self.daemon.process = None
            self.daemon.start()
            self.app("outcome")  # a restarted daemon makes standbys from the first launch on

    def test_daemon_stopped_at_random_moments(self):
        """It is continued after the launchers gave up: its late GO must find the token gone."""
        dice = random.Random(11)
        pid = self.daemon.warmd_pid()
        for attempt in range(12):
            path = os.path.join(self.daemon.dir, f"stopped-{attempt}")
            self.daemon.full_pool()
            processes = self.launch(path, 6)
            time.sleep(dice.uniform(0, 0.008))
            os.kill(pid, signal.SIGSTOP)
            time.sleep(dice.uniform(0.05, 0.2))
            os.kill(pid, signal.SIGCONT)
            self.check(path, 6, processes)

    def test_busy_machine(self):
        path = os.path.join(self.daemon.dir, "busy")
        self.check(path, 60, self.launch(path, 60))
