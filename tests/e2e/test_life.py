# SPDX-License-Identifier: MIT
"""Who may die when: the launcher, the clone, the daemon; and what the others notice of it."""
import os
import signal
import subprocess
import time

from case import WarmCase, make_snapshot
from harness import APP, CLONE_TIERS, WARM, WARMD, Daemon, alive, descendants, finish, kill_quietly, program_behind, wait_for


class Clones(WarmCase):
    def hold(self):
        """A launch that holds, and the pid of its program."""
        process = self.daemon.popen(APP, "pid", "hold", options=("--explain",))
        self.addCleanup(process.wait)  # in reverse order: killed first
        self.addCleanup(process.kill)
        process.stdout.readline()
        self.assertEqual(process.stdout.readline(), b"holding\n")
        return process, program_behind(process)

    def test_launcher_killed_ends_the_program(self):
        process, pid = self.hold()
        process.kill()
        killed = time.monotonic()
        self.assertTrue(wait_for(lambda: not alive(pid), 2, 0.002))
        self.assertLess(time.monotonic() - killed, 0.1)
        process.communicate()

    def test_clone_killed(self):
        process, pid = self.hold()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(process.wait(5), -signal.SIGKILL)
        process.communicate()

    def test_killed_clone_harms_nobody(self):
        first, pid = self.hold()
        second, other = self.hold()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(first.wait(5), -signal.SIGKILL)
        self.assertTrue(alive(other))
        os.kill(second.pid, signal.SIGTERM)
        self.assertEqual(second.wait(5), -signal.SIGTERM)
        for process in (first, second):
            process.communicate()

    def test_daemon_stopped(self):
        process, _ = self.hold()
        other, _ = self.hold()
        pid = self.daemon.warmd_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            os.kill(process.pid, signal.SIGTERM)
            self.assertEqual(process.wait(5), -signal.SIGTERM)
            began = time.monotonic()
            result = self.app("outcome")
            self.assertLess(time.monotonic() - began, 1.0)
            self.assertEqual((result.out, result.tier), ("cold\n", "cold_start"))
        finally:
            os.kill(pid, signal.SIGCONT)
        os.kill(other.pid, signal.SIGUSR1)
        self.assertEqual(other.wait(5), -signal.SIGUSR1)
        for one in (process, other):
            one.communicate()
        self.assertTrue(wait_for(lambda: self.app("outcome").tier in CLONE_TIERS, 5))

    def test_daemon_killed_and_restarted(self):
        process, pid = self.hold()
        killer, doomed = self.hold()
        self.daemon.stop(signal.SIGKILL)
        self.assertTrue(alive(pid) and alive(doomed))
        os.kill(process.pid, signal.SIGTERM)
        self.assertEqual(process.wait(5), -signal.SIGTERM)
        killer.kill()
        self.assertTrue(wait_for(lambda: not alive(doomed), 0.5, 0.005))
        for one in (process, killer):
            one.communicate()
        began = time.monotonic()
        result = self.app("outcome")
        self.assertLess(time.monotonic() - began, 1.0)
        self.assertEqual(result.out, "cold\n")
        self.daemon.start()
        self.assertTrue(wait_for(lambda: self.app("outcome").tier in CLONE_TIERS, 5), self.daemon.log()[-1500:])
        self.assertEqual(self.daemon.ls()[0]["state"], "published")

    def test_only_warmd_killed(self):
        """warm-spawn in front of it notices; the clones do not."""
        process, _ = self.hold()
        os.kill(self.daemon.warmd_pid(), signal.SIGKILL)
        self.daemon.process.wait(5)
        self.daemon.process = None
        os.kill(process.pid, signal.SIGTERM)
        self.assertEqual(process.wait(5), -signal.SIGTERM)
        process.communicate()
        self.daemon.start()
        self.assertTrue(wait_for(lambda: self.app("outcome").tier in CLONE_TIERS, 5))

    def test_terminated_within_two_seconds_leaving_nothing_parked(self):
        process, pid = self.hold()
        family = set(descendants(self.daemon.process.pid))
        self.assertLess(self.daemon.stop(signal.SIGTERM), 2)
        self.assertTrue(alive(pid))
        os.kill(process.pid, signal.SIGTERM)
        self.assertEqual(process.wait(5), -signal.SIGTERM)
        process.communicate()
        self.assertTrue(wait_for(lambda: not [p for p in family if alive(p)], 2), [p for p in family if alive(p)])
        self.daemon.start()

    def test_many_at_once(self):
        running = [self.daemon.popen(APP, "args", str(i), "exit", str(i)) for i in range(40)]
        results = [finish(process) for process in running]
        self.assertEqual([r.code for r in results], list(range(40)))
        for i, result in enumerate(results):
            self.assertEqual(result.out, f"{APP}|args|{i}|exit|{i}\n")


class FirstLaunches(WarmCase):
    publish_app = False

    def test_of_several_at_once_one_is_snapshotted(self):
        results = [finish(p) for p in [self.daemon.popen(APP, "outcome", options=("--explain",)) for _ in range(6)]]
        outcomes = sorted(result.out.strip() for result in results)
        self.assertEqual([r.code for r in results], [0] * 6)
        self.assertLessEqual(outcomes.count("resumed"), 1)
        self.assertEqual(outcomes.count("cold") + outcomes.count("resumed") + outcomes.count("restored"), 6)
        self.daemon.published(1)
        self.assertEqual(len(self.daemon.ls()), 1)

    def test_original_killed_while_it_is_snapshotted(self):
        for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
            process = self.daemon.popen(APP, "hold", env={"UNDECLARED": str(delay)})
            time.sleep(delay)
            process.kill()
            process.communicate()
        self.assertEqual(self.app("exit", "4").code, 4)


class Embedded(WarmCase):
    """With no daemon running, `warm exec` starts one for this user."""
    publish_app = False

    def test_started_with_a_root_of_its_own(self):
        env = dict(self.daemon.env, WARM_SOCKET=os.path.join(self.daemon.dir, "embedded.sock"),
                   WARM_ROOT=self.folder("embedded"))
        def outcome():
            done = subprocess.run([WARM, "exec", "--", APP, "outcome"], env=env, check=True, timeout=20,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            return done.stdout.decode()
        self.assertEqual(outcome(), "cold\n")
        self.assertTrue(wait_for(lambda: outcome() == "restored\n", 10, 0.1))

    def test_not_started_at_a_place_of_somebodys_own(self):
        """A socket that was named without a cache: starting one there would serve it from the user's common cache."""
        path = os.path.join(self.daemon.dir, "nobody.sock")
        result = self.daemon.exec(APP, "outcome", env={"WARM_SOCKET": path})
        self.assertCold(result, "no daemon answers", path)
        time.sleep(0.3)
        self.assertFalse(os.path.exists(path))

    def test_started_by_the_first_launch(self):
        home = self.folder("home")
        run = self.folder("run")
        os.chmod(run, 0o700)
        env = dict(self.daemon.env, HOME=home, XDG_RUNTIME_DIR=run, XDG_CACHE_HOME=os.path.join(home, "cache"))
        del env["WARM_SOCKET"]
        if os.geteuid() == 0:
            self.skipTest("root's default places are the system's: /run/warm and /var/lib/warm")
        subprocess.run([WARM, "exec", "--", APP, "outcome"], env=env, check=True, timeout=20, stdout=subprocess.DEVNULL)


class Leftovers(WarmCase):
    publish_app = False

    def test_nothing_is_left_behind(self):
        daemon = Daemon()
        daemon.start()
        make_snapshot(daemon)
        for _ in range(5):
            daemon.full_pool()
            daemon.exec(APP, "outcome")
        family = descendants(daemon.process.pid)
        daemon.stop()
        gone = wait_for(lambda: not [pid for pid in family if alive(pid)], 3)
        left = [pid for pid in family if alive(pid)]
        for pid in left:
            kill_quietly(pid)
        daemon.close()
        self.assertTrue(gone, left)


class Clock(WarmCase):
    """A machine that was started anew has a younger CLOCK_MONOTONIC; a time namespace with an older one stands in for the
    time before."""

    publish_app = False

    BEFORE = """"$1" --root "$2" --socket "$3" --foreground & daemon=$!
    until [ -S "$3" ]; do sleep 0.02; done
    "$4" exec -- "$5" outcome
    until "$4" --json ls | grep -q '"published"'; do sleep 0.05; done
    kill $daemon; wait $daemon"""

    def test_it_never_runs_backwards(self):
        other = Daemon()
        self.addCleanup(other.close)
        before = subprocess.run(["unshare", "--time", "--monotonic", "1000000", "--fork", "timeout", "30", "sh", "-c", self.BEFORE,
                                 "sh", WARMD, other.root, other.socket, WARM, APP], env=other.env, capture_output=True, text=True,
                                check=False)
        self.assertEqual((before.returncode, before.stdout), (0, "resumed\n"), before.stderr)
        other.start()
        self.assertCold(other.exec(APP, "outcome"), "started anew")
