# SPDX-License-Identifier: MIT
"""What `warm exec` promises to whoever types it: exit codes, signals, descriptors, what a launch brings, --explain."""
import ctypes
import json
import os
import resource
import signal
import subprocess
import time

from case import WarmCase, make_snapshot, write
from harness import APP, PYTHON, WARM, finish, program_behind, wait_for


class ExitCodes(WarmCase):
    def test_first_launch_resumed_then_restored(self):
        self.assertEqual(self.assertClone(self.app("outcome")).out, "restored\n")
        self.assertEqual(self.app("outcome", options=("--cold", "--explain")).out, "cold\n")

    def test_exit_code_is_the_programs(self):
        for code in (0, 1, 7, 125, 126, 127, 255):
            self.assertEqual(self.app("exit", str(code)).code, code)

    def test_killed_by_the_same_signal(self):
        for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGUSR1, signal.SIGRTMIN + 3):
            self.daemon.full_pool()
            self.assertEqual(self.assertClone(self.app("signal", str(int(sig)))).code, -sig)

    def test_not_found_is_127(self):
        result = self.daemon.exec("no-such-command-anywhere", options=())
        self.assertEqual(result.code, 127)
        self.assertOneLine(result.err, "no-such-command-anywhere")

    def test_no_interpreter_is_127(self):
        script = write(os.path.join(self.daemon.dir, "crlf.sh"), "#!/bin/sh\r\necho\r\n", 0o755)
        result = self.daemon.exec(script, options=())
        self.assertEqual(result.code, 127)
        self.assertOneLine(result.err, script, "interpreter")

    def test_not_executable_is_126(self):
        path = write(os.path.join(self.daemon.dir, "not-executable"), "text\n")
        result = self.daemon.exec(path, options=())
        self.assertEqual(result.code, 126)
        self.assertOneLine(result.err, path)

    def test_bad_option_is_125(self):
        result = self.daemon.exec(APP, options=("--no-such-option",))
        self.assertEqual(result.code, 125)
        self.assertOneLine(result.err, "no-such-option")

    def test_require_fails_rather_than_cold(self):
        path = os.path.join(self.daemon.dir, "marker")
        result = self.daemon.exec("/usr/bin/touch", path, options=("--require",))
        self.assertEqual(result.code, 125)
        self.assertOneLine(result.err)
        self.assertFalse(os.path.exists(path))

    def test_program_without_hook_runs_cold(self):
        result = self.daemon.exec("/bin/echo", "a b", "c")
        self.assertEqual((result.code, result.out, result.tier), (0, "a b c\n", "cold_start"))

    def test_no_daemon_runs_cold(self):
        env = dict(self.daemon.env, WARM_SOCKET=os.path.join(self.daemon.dir, "nobody-listens.sock"))
        done = subprocess.run([WARM, "exec", "--", APP, "outcome", "exit", "3"], env=env, stdout=subprocess.PIPE, timeout=20,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stdout), (3, b"cold\n"))

    def test_cold_option_uses_and_takes_no_snapshot(self):
        before = len(self.daemon.ls())
        self.assertCold(self.app("outcome", options=("--cold", "--explain"), env={"UNDECLARED": "cold"}))
        time.sleep(0.3)
        self.assertEqual(len(self.daemon.ls()), before)


class Signals(WarmCase):
    def trapping(self):
        process = self.daemon.popen(APP, "trap", options=("--explain",))
        self.assertEqual(process.stdout.readline(), b"trapping\n")
        return process

    def test_every_signal_is_forwarded(self):
        process = self.trapping()
        for sig in sorted(set(range(1, 65)) - {9, 19, 32, 33, 17, 18, 20, 3}):
            os.kill(process.pid, sig)
            line = process.stdout.readline().decode()
            self.assertTrue(line.startswith(f"signal {sig} "), line)
        os.kill(process.pid, signal.SIGQUIT)
        self.assertEqual(process.wait(10), 0)
        process.communicate()

    def test_real_time_signal_keeps_its_value(self):
        process = self.trapping()
        queue = subprocess.run(["/bin/kill", "-q", "4711", "-s", "RTMIN+2", str(process.pid)], check=False, stderr=subprocess.PIPE)
        if queue.returncode:
            process.kill()
            process.communicate()
            self.skipTest("/bin/kill cannot queue values here: " + queue.stderr.decode())
        line = process.stdout.readline().decode()
        self.assertRegex(line, r"^signal 36 code -1 value 4711$")
        os.kill(process.pid, signal.SIGQUIT)
        process.communicate(timeout=10)

    def test_default_action_ends_both(self):
        process = self.daemon.popen(APP, "hold")
        self.assertEqual(process.stdout.readline(), b"holding\n")
        os.kill(process.pid, signal.SIGTERM)
        self.assertEqual(process.wait(5), -signal.SIGTERM)
        process.communicate()

    def test_stop_and_continue(self):
        # In a group of its own: the kernel drops SIGTSTP for an orphaned one, which we may be in (setsid, cron, CI).
        process = self.daemon.popen(APP, "hold", process_group=0)
        self.addCleanup(process.kill)
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTSTP)
        change = wait_for(lambda: os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOHANG), 5)
        self.assertTrue(change and change.si_code == os.CLD_STOPPED, change)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(5), -signal.SIGINT)
        process.communicate()


OWN = """
import os, resource, sys
os.setpriority(os.PRIO_PROCESS, 0, 7)
os.sched_setaffinity(0, {0})
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (300, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.getrlimit(resource.RLIMIT_MEMLOCK)[1],) * 2)
with open("/proc/self/oom_score_adj", "w") as file: file.write("500")
import warm
warm.ready()
print(os.getpriority(os.PRIO_PROCESS, 0), *os.sched_getaffinity(0), *resource.getrlimit(resource.RLIMIT_CORE),
      *resource.getrlimit(resource.RLIMIT_NOFILE), *resource.getrlimit(resource.RLIMIT_MEMLOCK),
      *resource.getrlimit(resource.RLIMIT_FSIZE), open("/proc/self/oom_score_adj").read().strip())
"""


class WhatAProgramSets(WarmCase):
    publish_app = False

    def limited(self, soft, hard, size):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 65536))
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return limit

    def test_limits_niceness_affinity_and_oom_score_are_kept(self):
        script = write(os.path.join(self.daemon.dir, "own.py"), OWN)
        make_snapshot(self.daemon, PYTHON, script, preexec_fn=self.limited(256, 2000, 1 << 30))
        for soft, hard, size in ((256, 2000, 1 << 30), (100, 1000, 1 << 29), (250, 280, 1 << 28)):
            result = self.daemon.exec(PYTHON, script, preexec_fn=self.limited(soft, hard, size))
            own = min(300, hard)
            self.assertEqual(self.assertClone(result).out, f"7 0 0 0 {own} {hard} 65536 65536 {size} {size} 500\n")
            self.daemon.full_pool()

    def test_more_programs_of_an_interpreter_than_a_key_has_variants(self):
        scripts = [write(os.path.join(self.daemon.dir, f"{i}.py"), f"import warm\nwarm.ready()\nprint({i})\n")
                   for i in range(10)]
        for script in scripts:
            self.daemon.exec(PYTHON, script)
        self.daemon.published(len(scripts), standbys=False)
        for i, script in enumerate(scripts):
            self.assertEqual(self.assertClone(self.daemon.exec(PYTHON, script)).out, f"{i}\n")


class Descriptors(WarmCase):
    def test_stdin_reaches_the_program(self):
        text = "".join(f"line {i}\n" for i in range(20000))
        make_snapshot(self.daemon, APP, "cat", stdin="x")
        result = self.assertClone(self.app("cat", stdin=text))
        self.assertEqual(result.out, text)

    def test_reader_of_stdout_goes_early(self):
        process = self.daemon.popen(APP, "flood")
        process.stdout.read(10000)
        process.stdout.close()
        self.assertEqual(process.wait(10), -signal.SIGPIPE)
        process.stderr.close()

    def test_stdin_closed_early(self):
        process = self.daemon.popen(APP, "cat", "exit", "5", stdin=subprocess.PIPE)
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.communicate(timeout=10)[0], b"")
        self.assertEqual(process.returncode, 5)

    def test_end_of_output_means_end_of_program(self):
        """Nobody else keeps the pipe open: no supervisor, no parked standby, no daemon."""
        process = self.daemon.popen(APP, "outcome")
        began = time.monotonic()
        process.stdout.read()
        self.assertLess(time.monotonic() - began, 2)
        process.communicate()

    def test_descriptor_three_keeps_its_number(self):
        path = write(os.path.join(self.daemon.dir, "three"), "through descriptor 7\n")
        fd = os.open(path, os.O_RDONLY)
        os.dup2(fd, 57)
        result = self.app("file", "/proc/self/fd/57", pass_fds=(57,))
        os.close(57)
        os.close(fd)
        self.assertEqual(result.out, "through descriptor 7\n")

    def test_descriptors_do_not_leak_into_a_clone(self):
        result = self.daemon.exec("/bin/ls", "/proc/self/fd")
        cold = result.out.split()
        make_snapshot(self.daemon)
        process = self.daemon.popen(APP, "hold")
        process.stdout.readline()
        clone = program_behind(process)
        fds = {fd: os.readlink(f"/proc/{clone}/fd/{fd}") for fd in os.listdir(f"/proc/{clone}/fd")}
        process.kill()
        process.communicate()
        self.assertEqual(sorted(fds), ["0", "1", "2"], fds)
        self.assertEqual(len(cold), 4)


class WhatSurvivesExec(WarmCase):
    """A daemon of its own: there is no snapshot of another launch, which this one could be compared with."""

    def test_huge_pages_switched_off_are_a_difference(self):
        libc = ctypes.CDLL(None)
        self.assertCold(self.app("outcome", preexec_fn=lambda: libc.prctl(41, 1, 0, 0, 0)), "PR_SET_THP_DISABLE")


class WhatALaunchBrings(WarmCase):
    def test_arguments(self):
        words = ["args", "ä b", "", "--", "-x"]
        result = self.assertClone(self.app(*words))
        self.assertEqual(result.out, "|".join([APP] + words) + "\n")

    def test_declared_environment(self):
        for value in ("first", "second value", ""):
            result = self.assertClone(self.app("env", "APP_WORD", env={"APP_WORD": value}))
            self.assertEqual(result.out, value + "\n")
        self.assertEqual(self.assertClone(self.app("env", "APP_WORD")).out, "(unset)\n")

    def test_undeclared_environment_is_a_difference(self):
        result = self.app("outcome", env={"OTHER_VARIABLE": "1"})
        self.assertCold(result, "OTHER_VARIABLE")

    def test_names_never_looked_at(self):
        self.assertClone(self.app("outcome", env={"PWD": "/nowhere", "SHLVL": "9", "TERM": "dumb", "COLUMNS": "7"}))
        for term in ("dumb", "vt100"):
            self.assertEqual(self.assertClone(self.app("env", "TERM", env={"TERM": term})).out, term + "\n")
        self.assertEqual(self.assertClone(self.app("env", "SSH_TTY")).out, "(unset)\n")

    def test_working_directory(self):
        for name in ("one", "two ü"):
            path = self.folder(name)
            self.assertEqual(self.assertClone(self.app("cwd", cwd=path)).out, path + "\n")

    def test_umask_is_a_difference(self):
        self.assertCold(self.app("outcome", umask=0o077), "umask")

    def test_priority_is_a_difference(self):
        set_io_priority = lambda: ctypes.CDLL(None).syscall(251, 1, 0, 3 << 13)  # ioprio_set(2): this process, class idle
        batch = lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        self.assertCold(self.app("outcome", preexec_fn=set_io_priority), "I/O priority is 0x6000")
        self.assertCold(self.app("outcome", preexec_fn=batch), "scheduling policy is 3")
        self.assertClone(self.app("outcome", preexec_fn=lambda: os.nice(5)))

    def test_stack_limit_is_part_of_the_key(self):
        """libc has sized the stacks of threads by it, before the program began."""
        limit = lambda: resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
        self.assertCold(self.app("outcome", preexec_fn=limit), "limit of the stack (ulimit -s) is 65536 KiB, was")

    def test_personality_is_a_difference(self):
        libc = ctypes.CDLL(None)
        self.assertCold(self.app("outcome", preexec_fn=lambda: libc.personality(0x40000)), "the personality is 0x40000")

    def test_niceness_that_a_copy_may_not_have(self):
        """Nor does the snapshot suffer from it."""
        def nobody(nice):
            os.setpriority(os.PRIO_PROCESS, 0, nice)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        os.chmod(self.daemon.socket, 0o666)
        self.addCleanup(os.chmod, self.daemon.socket, 0o600)
        make_snapshot(self.daemon, preexec_fn=lambda: nobody(0))
        for _ in range(4):
            self.daemon.full_pool()
            self.assertCold(self.app("outcome", preexec_fn=lambda: nobody(-5)), "niceness -5")
        self.daemon.full_pool()
        self.assertClone(self.app("outcome", preexec_fn=lambda: nobody(0)))

    def test_kind_of_stdin_is_a_difference(self):
        path = write(os.path.join(self.daemon.dir, "input"), "text")
        with open(path, encoding="utf-8") as file:
            process = self.daemon.popen(APP, "outcome", options=("--explain",), stdin=file)
            self.assertCold(finish(process))

    def test_ignored_signal_is_a_difference(self):
        result = self.app("outcome", preexec_fn=lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN))
        self.assertCold(result, "signal")

    def test_limits_are_the_launchs(self):
        for soft in (300, 555):
            result = self.app("file", "/proc/self/limits",
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(7)[1])))
            self.assertRegex(self.assertClone(result).out, rf"Max open files +{soft} ")

    def test_niceness_is_the_launchs(self):
        result = self.app("file", "/proc/self/stat", preexec_fn=lambda: os.nice(7))
        self.assertEqual(self.assertClone(result).out.rsplit(")", 1)[1].split()[16], str(os.nice(0) + 7))

    def test_affinity_is_the_launchs(self):
        result = self.app("file", "/proc/self/status", preexec_fn=lambda: os.sched_setaffinity(0, {0}))
        self.assertRegex(self.assertClone(result).out, r"Cpus_allowed_list:\s+0\n")

    def test_changed_file_is_a_difference(self):
        path = write(os.path.join(self.daemon.dir, "setup.txt"), "first\n")
        env = {"SETUP_FILE": path}
        one = make_snapshot(self.daemon, APP, "setup", env=env)
        self.assertTrue(one)
        self.assertEqual(self.app("setup", env=env).out, "first\n")
        write(path, "second\n")
        result = self.assertCold(self.app("setup", env=env), "setup.txt")
        self.assertEqual(result.out, "second\n")


class Explain(WarmCase):
    def test_shape(self):
        result = self.app("outcome")
        explained = result.explained
        self.assertIn(explained["tier"], ("hot", "template", "cold_restore"))
        self.assertTrue(self.snapshot["id"].startswith(explained["snapshot"]) or explained["snapshot"] == self.snapshot["id"])
        for part in ("total", "lookup", "go"):
            self.assertIsInstance(explained["us"][part], int)
        self.assertEqual(explained["reason"] is None, explained["tier"] == "hot")

    def test_moments_of_a_launch_in_their_order(self):
        before = time.monotonic_ns()
        at = self.app("outcome").explained["at_ns"]
        self.assertEqual(list(at), ["start", "accepted", "sent", "taken", "found", "go", "running"])
        self.assertLess(before, at["start"])
        self.assertLess(at["running"], time.monotonic_ns())
        for one, other in (("start", "sent"), ("start", "accepted"), ("accepted", "taken"), ("taken", "found"), ("found", "go"),
                           ("go", "running"), ("sent", "running")):
            self.assertLessEqual(at[one], at[other] + 1000, at)     # some are whole microseconds
        explained = self.app("outcome", options=("--explain", "--cold")).explained
        self.assertEqual(list(explained["at_ns"]), ["start"])

    def test_hot_when_a_standby_stands(self):
        tiers = []
        for _ in range(10):
            self.daemon.full_pool()
            tiers.append(self.app("outcome").tier)
        self.assertGreaterEqual(tiers.count("hot"), 8, tiers)

    def test_second_hook_call_and_children_are_cold(self):
        script = f"{APP} outcome; exec {APP} outcome"
        result = self.daemon.exec("/bin/sh", "-c", script)
        self.assertEqual(result.out.split()[0], "cold")


class OtherVerbs(WarmCase):
    def test_ls(self):
        row = self.daemon.ls()[0]
        for field in ("id", "name", "state", "command", "uid", "created", "last_used", "hits", "processes", "threads", "rss_bytes",
                      "stored_bytes", "standbys", "reason"):
            self.assertIn(field, row)
        self.assertEqual((row["state"], row["uid"], row["reason"]), ("published", os.geteuid(), None))
        self.assertEqual(row["command"][0], APP)
        self.assertLess(abs(row["created"] - time.time()), 300)

    def test_hits_are_counted(self):
        before = self.daemon.ls()[0]["hits"]
        self.assertClone(self.app("outcome"))
        self.assertTrue(wait_for(lambda: self.daemon.ls()[0]["hits"] > before, 3))

    def test_show(self):
        shown = json.loads(self.daemon.warm("--json", "show", self.snapshot["id"][:6]).out)
        shown = shown[0] if isinstance(shown, list) else shown
        self.assertIn(APP, [file["path"] for file in shown["files"]])
        for field in ("descriptors", "working_set_bytes", "needs"):
            self.assertIn(field, shown)

    def test_plan(self):
        result = self.daemon.warm("plan", self.snapshot["id"])
        self.assertEqual(result.code, 0, result.err)
        self.assertGreater(len(result.out.splitlines()), 30)

    def test_stats(self):
        stats = json.loads(self.daemon.warm("--json", "stats").out)
        for tier in ("hot", "template", "cold_restore", "cold_start"):
            self.assertIn(tier, stats["launches"])
        for field in ("fallbacks", "snapshots", "templates", "standbys", "loaders", "memory_bytes", "launch_us"):
            self.assertIn(field, stats)
        self.assertGreaterEqual(stats["snapshots"], 1)

    def test_doctor(self):
        result = self.daemon.warm("doctor")
        self.assertEqual(result.code, 0, result.out + result.err)

    def test_unknown_snapshot(self):
        for verb in ("show", "rm", "plan"):
            result = self.daemon.warm(verb, "no-such-snapshot")
            self.assertEqual(result.code, 1, repr(result))
            self.assertOneLine(result.err, "no-such-snapshot")

    def test_a_users_words_are_one_line_and_no_escape_sequences(self):
        word = "no\nsuch\x1b[31m"
        for argv in (("show", word), ("exec", word), (word,)):
            self.assertOneLine(self.daemon.warm(*argv).err, "no?such?[31m")

    def test_usage_is_2(self):
        for argv in ((), ("no-such-verb",), ("show",), ("ls", "--no-such-option")):
            self.assertEqual(self.daemon.warm(*argv).code, 2, argv)

    def test_rm_and_again(self):
        name = "short-lived"
        self.daemon.exec(APP, "outcome", options=("--explain", "--name", name), env={"APP_X": "1", "UNDECLARED": "1"})
        row = wait_for(lambda: [r for r in self.daemon.ls() if r["name"] == name and r["state"] == "published"], 15)
        self.assertTrue(row)
        self.assertEqual(self.daemon.warm("rm", name).code, 0)
        self.assertFalse([r for r in self.daemon.ls() if r["name"] == name])
        result = self.daemon.exec(APP, "outcome", options=("--explain", "--name", name), env={"UNDECLARED": "1"})
        self.assertCold(result)
