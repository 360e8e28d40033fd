# SPDX-License-Identifier: MIT
"""The SDKs against a daemon that is played here: what they send, and what they make of each answer."""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import APP, BUILD, PYTHON, ROOT, base_env, kill_quietly, wait_for  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "sdk", "python"))
from case import WarmCase, read, write  # noqa: E402
from warm import _wire as wire  # noqa: E402

PYTHON_APP = """
import json, os, random, sys, tempfile, time
import warm
hooks = []
@warm.before_snapshot
def first(): hooks.append("before 1")
@warm.before_snapshot
def second():
    hooks.append("before 2")
    if os.environ.get("FAIL") == "before": raise ValueError("no")
@warm.after_restore
def third():
    hooks.append("after")
    if os.environ.get("FAIL") == "after": raise ValueError("two\\nlines")
random.seed(1)
line = sys.stdin.readline() if os.environ.get("EARLY") else ""
began = time.monotonic()
result = warm.ready(argv=True, env=["APP_*", "ONE"], depends=["data.txt"])
took = time.monotonic() - began
child = os.fork()
if child == 0: os._exit(0 if warm.ready() == "cold" else 1)
print(json.dumps({"result": result, "again": warm.ready(), "argv": sys.argv[1:], "rest": sys.stdin.read(),
                  "hooks": hooks, "took": took, "env": {k: v for k, v in os.environ.items() if k[:4] in ("APP_", "ONE", "TWO")},
                  "generation": warm.generation(), "random": random.random(), "line": line,
                  "child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}))
"""

C_APP = """
import ctypes, json, os, time
lib = ctypes.CDLL(os.environ["LIBWARM"])
lib.warm_argv.restype = ctypes.POINTER(ctypes.c_char_p)
lib.warm_generation.restype = ctypes.c_uint64
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
hooks, fail = [], os.environ.get("FAIL")
before = call(lambda _: hooks.append("before") or fail == "before")
after = call(lambda _: hooks.append("after") or fail == "after")
lib.warm_on_snapshot(before, None)
lib.warm_on_restore(after, None)
assert lib.warm_depends(b"data.txt") == 0 and lib.warm_launch_env(b"APP_*") == 0 and lib.warm_launch_env(b"ONE") == 0
assert lib.warm_ready(64) == -22
began = time.monotonic()
result = lib.warm_ready(1)
took = time.monotonic() - began
child = os.fork()
if child == 0: os._exit(0 if lib.warm_ready(0) == 2 else 1)
print(json.dumps({"result": {0: "resumed", 1: "restored", 2: "cold"}[result], "hooks": hooks, "took": took,
                  "again": {0: "resumed", 1: "restored", 2: "cold"}[lib.warm_ready(0)],
                  "argv": [lib.warm_argv()[i].decode() for i in range(1, lib.warm_argc())][-2:],
                  "env": {n: libc.getenv(n.encode()).decode() for n in ("APP_OLD", "APP_NEW", "ONE", "TWO")
                          if libc.getenv(n.encode())},
                  "generation": lib.warm_generation(), "child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}))
"""


class Daemon:
    """Answers Hello with `first` (None: not at all) and one Ready with `answers`, or closes the connection. `killed`: it
    answers a Ready that it has not read, and is gone before the program looks."""

    def __init__(self, path, answers, first, killed=False):
        self.answers, self.first, self.greeted, self.killed = answers, first, 0, killed
        self.depends, self.ready, self.datagrams = [], None, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        self.socket.listen(1)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with self.socket.accept()[0] as connection:
            while True:
                if self.killed and self.greeted:
                    return self.answer_and_die(connection)
                datagram = connection.recv(1 << 20)
                if not datagram:
                    return
                (kind, body), = wire.fields(datagram[4:])
                if kind == wire.HELLO:
                    self.greeted += 1
                    if self.first is not None:
                        connection.send(self.first)
                    continue
                self.datagrams.append(len(datagram))
                if kind == wire.DEPENDS:
                    self.depends += [list(wire.fields(item)) for _, item in wire.fields(body)]
                    continue
                self.ready = list(wire.fields(body))
                if not self.answers:
                    return
                for answer in self.answers:
                    connection.send(answer)

    def answer_and_die(self, connection):
        pid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        connection.recv(1, socket.MSG_PEEK)     # its first datagram behind Hello; the others, Ready among them, follow
        assert wait_for(lambda: read(f"/proc/{pid}/syscall").startswith(f"{RECVFROM} "), 5)
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        for answer in self.answers:
            connection.send(answer)
        connection.close()
        os.kill(pid, signal.SIGCONT)

    def paths(self):
        return {item[0][1].decode(): [suffix.decode() for _, suffix in item[1:]] for item in self.depends}


def reply(outcome, argv=(), env=(), generation=0, fixed=0, changes=()):
    hook = (wire.number(wire.OUTCOME, outcome) + b"".join(wire.text(wire.ARGV, a) for a in argv)
            + b"".join(wire.text(wire.ENV, e) for e in env) + wire.number(wire.GENERATION, generation)
            + wire.number(wire.LAUNCH_FIXED_ARGS, fixed) + b"".join(wire.text(wire.ENV_CHANGE, c) for c in changes))
    return wire.MAGIC + wire.number(1, 1) + wire.text(wire.HOOK, hook)


PENDING = reply(wire.PENDING)
RECVFROM = 45   # the number of recv(2)'s system call on x86-64


class Hook:
    """The same for all languages."""

    runtime, suffix = PYTHON, ".py"

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="warm-hook.")
        self.addCleanup(self.directory.cleanup)
        self.script = os.path.join(self.directory.name, "app" + self.suffix)
        with open(self.script, "w", encoding="ascii") as file:
            file.write(self.source)

    def run_app(self, *answers, env=None, daemon=True, first=PENDING, killed=False):
        path = os.path.join(self.directory.name, "s")
        self.daemon = Daemon(path, answers, first, killed) if daemon else None
        done = subprocess.run([self.runtime, self.script, "old"], cwd=self.directory.name, input=b"first\nsecond\n",
                              capture_output=True, timeout=60, check=False,
                              env={**base_env(), "WARM_SOCKET": path, "LIBWARM": os.path.join(BUILD, "libwarm.so"),
                                   "APP_OLD": "old", "ONE": "old", "TWO": "old", **(env or {})})
        if daemon:
            self.daemon.socket.close()
            self.daemon.thread.join(5)
            os.unlink(path)
        self.code, self.errors = done.returncode, done.stderr.decode()
        self.said = json.loads(done.stdout) if done.stdout and done.returncode == 0 else None
        return self.said

    def quickest(self, **keywords):
        """Of three runs the one that waited least: the machine may be busy."""
        return min((self.run_app(**keywords) for _ in range(3)), key=lambda said: said["took"])

    def restored(self, **more):
        return reply(wire.RESTORED, self.launch_argv, [b"APP_NEW=new=", b"ONE=new", b"TWO=new"], 77, **more)

    def test_without_a_daemon_it_is_cold_and_no_hook_runs(self):
        said = self.run_app(daemon=False)
        self.assertEqual((said["result"], said["again"], said["hooks"]), ("cold", "cold", []))

    def test_original_keeps_everything(self):
        said = self.run_app(reply(wire.RESUMED))
        self.assertEqual((said["result"], said["again"], said["generation"]), ("resumed", "resumed", 0))
        self.assertEqual(said["env"], {"APP_OLD": "old", "ONE": "old", "TWO": "old"})
        self.assertEqual(said["argv"][-1], "old")
        self.assertNotIn("after", said["hooks"])

    def test_copy_has_the_launchs_arguments_and_named_variables(self):
        said = self.run_app(self.restored())
        self.assertEqual((said["result"], said["again"], said["generation"]), ("restored", "restored", 77))
        self.assertEqual(said["argv"], ["new", "two"])
        self.assertEqual(said["env"], {"APP_NEW": "new=", "ONE": "new", "TWO": "old"})
        self.assertEqual(said["hooks"][-1], "after")

    def test_copy_has_the_launchs_variables_that_no_key_looks_at(self):
        said = self.run_app(self.restored(changes=[b"TWO=changed="]))
        self.assertEqual(said["env"], {"APP_NEW": "new=", "ONE": "new", "TWO": "changed="})
        said = self.run_app(self.restored(changes=[b"TWO", b"THREE"]))
        self.assertEqual(said["env"], {"APP_NEW": "new=", "ONE": "new"})

    def test_a_script_line_may_have_added_arguments(self):
        self.launch_argv = [b"./app", b"new", b"two"]
        self.assertEqual(self.run_app(self.restored(fixed=1))["argv"], ["new", "two"])

    def test_arguments_that_cannot_be_told_apart_end_the_copy(self):
        self.launch_argv = [b"./app", b"new", b"two"]
        self.run_app(self.restored())
        self.assertEqual((self.code, self.errors.count("\n")), (125, 1), self.errors)

    def test_child_of_the_program_is_cold(self):
        self.assertEqual(self.run_app(self.restored())["child"], 0)

    def test_daemon_that_goes_away_means_cold(self):
        self.assertEqual(self.run_app()["result"], "cold")

    def test_answer_of_a_daemon_that_was_killed_meanwhile_is_heard(self):
        said = self.run_app(self.restored(), killed=True)
        self.assertEqual((said["result"], said["argv"]), ("restored", ["new", "two"]))

    def assertUntouched(self, said):
        """Cold, and nothing was run or collected for a snapshot."""
        self.assertEqual((said["result"], said["again"], said["hooks"], said["generation"]), ("cold", "cold", [], 0))
        self.assertEqual((self.daemon.greeted, self.daemon.datagrams), (1, []))

    def test_daemon_that_is_silent_costs_a_tenth_of_a_second(self):
        said = self.quickest(first=None)
        self.assertUntouched(said)
        self.assertGreater(said["took"], 0.09)
        self.assertLess(said["took"], 0.15)

    def test_signals_do_not_make_the_wait_longer(self):
        """Each interrupts it: it goes on with what is left. Beginning anew each time, it would never end."""
        undisturbed = self.quickest(first=None)["took"]
        with open(self.script, "w", encoding="ascii") as file:
            file.write(self.disturbed())
        said = self.quickest(first=None)
        self.assertUntouched(said)
        self.assertLess(said["took"], 1.5 * undisturbed)

    def disturbed(self):
        """The program, with a signal every 5 ms."""
        return ("import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
                "signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)\n" + self.source + "signal.setitimer(signal.ITIMER_REAL, 0)\n")

    def test_daemon_that_does_not_accept_costs_a_tenth_of_a_second(self):
        path = os.path.join(self.directory.name, "s")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as full, \
             socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as waiting:
            full.bind(path)
            full.listen(0)
            waiting.connect(path)
            said = self.quickest(daemon=False)
        self.assertEqual((said["result"], said["hooks"]), ("cold", []))
        self.assertLess(said["took"], 0.15)

    def test_process_that_is_not_wanted_collects_nothing(self):
        said = self.quickest(first=reply(wire.COLD))
        self.assertUntouched(said)
        self.assertLess(said["took"], 0.09)

    def test_nonsense_as_the_first_word_means_cold(self):
        for first in (b"XXXX", b"W", wire.MAGIC + b"\x1a\xff", reply(wire.RESUMED), reply(9)):
            with self.subTest(first):
                self.setUp()
                self.assertUntouched(self.run_app(first=first))

    def test_answers_that_say_wait_are_waited_behind(self):
        self.assertEqual(self.run_app(PENDING, PENDING, self.restored())["argv"], ["new", "two"])

    def test_nonsense_means_cold(self):
        for answer in (b"XXXX", b"W", wire.MAGIC + b"\x1a\xff", wire.MAGIC + b"\x1f", reply(9)):
            with self.subTest(answer):
                self.setUp()
                self.assertEqual(self.run_app(answer)["result"], "cold")

    def test_failing_before_hook_calls_it_off(self):
        said = self.run_app(self.restored(), env={"FAIL": "before"})
        self.assertEqual((said["result"], self.daemon.ready), ("cold", None))

    def test_failing_after_hook_ends_the_copy(self):
        self.run_app(self.restored(), env={"FAIL": "after"})
        self.assertEqual(self.code, 125)
        self.assertEqual(self.errors.count("\n"), 1, self.errors)
        self.assertTrue(self.errors.startswith("warm: "), self.errors)

    def test_socket_is_out_of_the_way_and_request_is_complete(self):
        self.run_app(reply(wire.COLD))
        ready = dict(self.daemon.ready)
        self.assertGreaterEqual(ready[wire.HOOK_FD], 100)
        self.assertEqual((ready[wire.ARGV_FROM_LAUNCH], ready[wire.FIXED_ARGS]), (1, len(self.launch_argv) - 2))
        self.assertEqual([v for k, v in self.daemon.ready if k == wire.ENV_FROM_LAUNCH], [b"APP_*", b"ONE"])
        self.assertNotIn(wire.CWD_FROM_LAUNCH, ready)
        self.assertIn(os.path.join(self.directory.name, "data.txt"), self.daemon.paths())


class Python(Hook, unittest.TestCase):
    source = PYTHON_APP

    def setUp(self):
        super().setUp()
        self.launch_argv = [PYTHON, self.script, b"new", b"two"]

    def test_before_hooks_run_latest_first(self):
        self.assertEqual(self.run_app(self.restored())["hooks"], ["before 2", "before 1", "after"])

    def test_input_read_ahead_is_dropped_in_a_copy_and_kept_in_the_original(self):
        self.assertEqual(self.run_app(reply(wire.RESUMED), env={"EARLY": "1"})["rest"], "second\n")
        self.setUp()
        self.assertEqual(self.run_app(self.restored(), env={"EARLY": "1"})["rest"], "")

    def test_default_generator_is_reseeded_in_a_copy_only(self):
        kept = self.run_app(reply(wire.RESUMED))["random"]
        self.setUp()
        self.assertNotEqual(self.run_app(self.restored())["random"], kept)
        self.setUp()
        self.assertEqual(self.run_app(reply(wire.COLD))["random"], kept)

    def test_code_and_the_places_it_was_looked_for_are_declared(self):
        with open(os.path.join(self.directory.name, "other.py"), "w", encoding="ascii") as file:
            file.write("pass\n")
        with open(self.script, "w", encoding="ascii") as file:
            file.write("import other\nimport os.path\n" + self.source)
        self.run_app(reply(wire.COLD), env={"PYTHONPATH": base_env()["PYTHONPATH"] + ":/nowhere/at/all"})
        paths = self.daemon.paths()
        for path in (self.script, os.path.join(self.directory.name, "other.py"), os.__file__, "/nowhere/at/all"):
            self.assertEqual(paths.get(path), [], path)
        self.assertIn(".py", paths[self.directory.name])
        self.assertIn("/", paths[self.directory.name])

    def test_many_files_take_several_datagrams(self):
        with open(self.script, "w", encoding="ascii") as file:
            file.write("import warm\nwarm.ready(depends=['f%0200d' % i for i in range(3000)])\n")
        self.run_app(reply(wire.COLD))
        self.assertGreater(len(self.daemon.datagrams), 5)
        self.assertLessEqual(max(self.daemon.datagrams), wire.MESSAGE_MAX)
        self.assertGreaterEqual(len(self.daemon.depends), 3000)


class C(Hook, unittest.TestCase):
    source = C_APP

    def setUp(self):
        super().setUp()
        self.launch_argv = [PYTHON, b"new", b"two"]


class Stopped(WarmCase):
    """The real daemon, stopped."""

    publish_app = False

    def run_stopped(self, argv):
        """What it printed into a pipe, and the seconds until that had ended."""
        pid = self.daemon.warmd_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            done = self.daemon.exec(*argv, timeout=10)
            self.assertEqual(done.code, 0)
            return done.out, time.monotonic() - began
        finally:
            kill_quietly(pid, signal.SIGCONT)

    def test_cold_starts_are_not_held_up(self):
        script = write(os.path.join(self.daemon.dir, "ready.py"), "import warm\nprint(warm.ready())\n")
        for argv in ((PYTHON, script), (APP, "outcome")):
            with self.subTest(argv):
                out, took = self.run_stopped(argv)
                self.assertEqual(out, "cold\n")
                self.assertLess(took, 1)

    def test_program_outside_of_warm_exec_is_cold_at_once(self):
        program = "import time, warm; began = time.monotonic(); print(warm.ready(), time.monotonic() - began < 0.05)"
        done = subprocess.run([PYTHON, "-c", program], env=self.daemon.env, stdout=subprocess.PIPE, timeout=20, check=True)
        self.assertEqual(done.stdout, b"cold True\n")


if __name__ == "__main__":
    unittest.main()
