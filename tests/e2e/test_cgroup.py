# SPDX-License-Identifier: MIT
"""A launch from another control group than warmd's: its copy belongs there."""
import os
import subprocess
import tempfile
import unittest

from case import WarmCase
from harness import APP, CLONE_TIERS, WARM, Daemon, finish, processes, program_behind, wait_for

BASE = "/sys/fs/cgroup"


def hierarchies():
    """{folder: the controllers that limit there} of each hierarchy in which groups can be made."""
    found = {}
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, folder, kind, options = line.split()[:4]
            if kind == "cgroup2" and os.access(folder, os.W_OK):
                with open(os.path.join(folder, "cgroup.subtree_control"), encoding="ascii") as file:
                    found[folder] = file.read().split()
            elif kind == "cgroup" and os.access(folder, os.W_OK) and {"pids", "memory"} & set(options.split(",")):
                found[folder] = options.split(",")
    return found


def cgroups(pid):
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        return file.read()


def make_group(case, folder):
    path = tempfile.mkdtemp(prefix="warm-test-", dir=folder)
    case.addCleanup(lambda: case.assertTrue(wait_for(lambda: removed(path), 5), path))
    return path


def removed(path):
    """What ended a moment ago still counts."""
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def enter(path):
    with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as file:
        file.write("0")


class Groups(WarmCase):
    def setUp(self):
        self.groups = {}
        for folder, controllers in hierarchies().items():
            self.groups[make_group(self, folder)] = controllers
        if not self.groups:
            self.skipTest("no control groups can be made here")
        super().setUp()

    def launch(self, *words, tier="hot", **keywords):
        """A launch from the groups that waits behind its words, and the pid of its program."""
        child = self.daemon.popen(APP, *words, "hold", options=("--explain",), preexec_fn=self.join, **keywords)
        self.addCleanup(self.end, child)
        for _ in [*words, "hold"]:
            child.stdout.readline()
        self.assertIn(f'"tier":"{tier}"', child.stderr.readline().decode().replace(" ", ""))
        return child, program_behind(child)

    def join(self):
        for path in self.groups:
            enter(path)

    def end(self, child):
        """Its groups have nobody left when it has ended: neither the copy nor its supervisor."""
        child.kill()
        finish(child)
        for path in self.groups:
            self.assertTrue(wait_for(lambda path=path: not self.members(path), 5), path)

    def members(self, path):
        with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as file:
            return [int(line) for line in file]

    def test_copy_and_its_supervisor_are_their_callers(self):
        for _ in range(3):
            child, pid = self.launch("pid")
            supervisor = processes()[pid][0]
            self.assertEqual(processes()[supervisor][1], "warm-init")
            self.assertEqual(cgroups(pid), cgroups(child.pid))
            self.assertNotEqual(cgroups(pid), cgroups(self.daemon.warmd_pid()))
            self.assertEqual(cgroups(supervisor), cgroups(child.pid))
            for path in self.groups:
                self.assertLessEqual({child.pid, pid, supervisor}, set(self.members(path)))
            self.end(child)
            self.daemon.full_pool()

    def test_where_the_daemon_is_nothing_moves(self):
        child = self.daemon.popen(APP, "hold")
        child.stdout.readline()
        self.assertEqual(cgroups(program_behind(child)), cgroups(self.daemon.warmd_pid()))
        child.kill()
        finish(child)

    def test_limit_of_processes_holds(self):
        limits = [path for path, controllers in self.groups.items() if "pids" in controllers]
        if not limits:
            self.skipTest("no controller of pids")
        child = self.daemon.popen("/bin/sh", "-c", "true", preexec_fn=self.join)
        self.assertEqual(finish(child).code, 0)
        with open(os.path.join(limits[0], "pids.max"), "w", encoding="ascii") as file:
            file.write("3")      # `warm`, the copy, its supervisor
        child = self.daemon.popen(APP, "outcome", "fork", preexec_fn=self.join)
        result = finish(child)
        self.assertEqual((result.out, result.code), ("restored\nfork: Resource temporarily unavailable\n", 0), result)

    def test_on_a_terminal(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        keywords = {"stdin": slave, "preexec_fn": self.join, "start_new_session": True}
        results = []

        def restored():
            results.append(finish(self.daemon.popen(APP, "outcome", options=("--explain",), **keywords)))
            return "restored" in results[-1].out
        self.assertTrue(wait_for(restored, 20, 0.1), results[-1])
        self.addCleanup(self.daemon.warm, "rm", results[-1].explained["snapshot"])   # it has no standby to wait for
        child = self.daemon.popen(APP, "pid", "hold", **keywords)
        os.close(slave)
        self.addCleanup(self.end, child)
        child.stdout.readline()
        child.stdout.readline()
        self.assertEqual(cgroups(program_behind(child)), cgroups(child.pid))

    def test_many_at_once(self):
        running = [self.daemon.popen(APP, "outcome", "exit", str(n), preexec_fn=self.join) for n in range(12)]
        self.assertEqual([finish(child).code for child in running], list(range(12)))


class FromDisk(Groups):
    from_disk = True

    def launch(self, *words, tier="cold_restore", **keywords):
        return super().launch(*words, tier=tier, **keywords)


class Unseen(unittest.TestCase):
    """The daemon does not see control groups: it can move nobody."""

    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)
        self.daemon.starter = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {BASE} && exec "$@"', "sh"]
        self.daemon.start()

    def exec(self, **keywords):
        command = ["nsenter", "-t", str(self.daemon.warmd_pid()), "-m", WARM, "exec", "--explain", APP, "outcome"]
        return finish(subprocess.Popen(command, env=self.daemon.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, **keywords))

    def test_such_a_launch_starts_cold_and_doctor_says_so(self):
        folder = next(iter(hierarchies()), None)
        if not folder:
            self.skipTest("no control groups can be made here")
        path = make_group(self, folder)
        self.assertTrue(wait_for(lambda: self.exec().tier in CLONE_TIERS, 20, 0.1), self.daemon.log())
        result = self.exec(preexec_fn=lambda: enter(path))
        self.assertEqual((result.tier, result.out), ("cold_start", "cold\n"), result)
        self.assertIn(f"/{os.path.basename(path)} of the caller: ", result.reason)
        self.assertIn(self.exec().tier, CLONE_TIERS)
        self.assertRegex(self.daemon.warm("doctor").out, "cgroups.*another one than the daemon's starts cold")


if __name__ == "__main__":
    unittest.main()
