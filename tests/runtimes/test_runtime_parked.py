# SPDX-License-Identifier: MIT
"""Standbys that are parked for a minute: none of their threads runs, whatever the programs do when they do."""
import os
import time
import unittest

from case import WarmCase, write
from harness import PYTHON, descendants, wait_for
from test_java import JAVA, needs_java

BUSY = """import signal, threading, time
import warm

def spins():
    while True:
        pass

def naps():
    while True:
        time.sleep(0.001)

for work in (spins, naps, naps):
    threading.Thread(target=work, daemon=True).start()
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
warm.ready()
print("ready", flush=True)
"""
IDLE_S = 60


def run_ns(pids):
    """{(pid, thread): nanoseconds it has run on a CPU}: proc_pid_schedstat."""
    found = {}
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
                found[pid, thread] = int(stat.read().split()[0])
    return found


class Parked(WarmCase):
    publish_app = False
    config = "[python]\nprewarm = no\n[java]\nprewarm = yes\n"   # what is pre-warmed of a Java machine stands by, too

    def parked(self):
        """Processes of standbys and templates: all that is named like a program."""
        found = []
        for pid in descendants(self.daemon.process.pid):
            with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                if comm.read().strip() in ("python3", "java", "warm-init"):
                    found.append(pid)
        return found

    def at_rest(self):
        """The last one has said that it is parked, and waits: two looks see the same."""
        looks = [None, run_ns(self.parked())]

        def same():
            looks[:] = looks[1], run_ns(self.parked())
            return looks[0] == looks[1]
        self.assertTrue(wait_for(same, 10, 0.1), "they never come to rest")
        return looks[1]

    @needs_java
    def test_no_thread_runs(self):
        script = write(os.path.join(self.daemon.dir, "busy.py"), BUSY)
        self.assertEqual(self.daemon.exec(PYTHON, script).out, "ready\n")
        self.daemon.published(command=script)
        self.daemon.exec(JAVA, "-version")
        self.assertTrue(wait_for(lambda: all(row["standbys"] == row["standbys_wanted"] for row in self.daemon.ls()), 20), self.daemon.ls())
        before = self.at_rest()
        self.assertGreater(len(before), 10, before)
        time.sleep(IDLE_S)
        self.assertEqual(run_ns(self.parked()), before)


if __name__ == "__main__":
    unittest.main()
