# SPDX-License-Identifier: MIT
"""Programs that know nothing of Warm: --ready after: and listen:, `warm snapshot PID`, and what their key is."""
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

from case import WarmCase, make_snapshot, read, write
from harness import BUILD, PYTHON, WARM, descendants, explanation, finish, processes, wait_for
from refusals import refusal
from snap import state, traced

# Counts to 6 in tenths of a second; says where it began and where it ends.
COUNT = """$| = 1;
print "begin @ARGV\\n";
for my $i (1 .. 6) { select undef, undef, undef, 0.1; $seen .= $i; }
print "end $seen $ENV{WORD}\\n";
exit 7;
"""
SERVER = """import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"served by %d" % os.getpid())
    def log_message(self, *words):
        pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer.address_family = __import__("socket").AF_INET6 if sys.argv[2] == "::1" else 2
with http.server.HTTPServer((sys.argv[2], int(sys.argv[1])), Answer) as server:
    server.handle_request()
print("gone", flush=True)
"""
# Knows the lines that it was told.
LINES = """$| = 1;
print "ready\n";
while (<STDIN>) { chomp; push @seen, $_; print scalar(@seen), " @seen\n"; }
exit 7;
"""
# Writes 1, 2, 3, ... into a file, one system call each.
STEPS = """$| = 1; open my $out, ">>", $ARGV[0]; print "ready\n";
while (1) { syswrite $out, ++$n . "\n"; select undef, undef, undef, 0.001; }
"""
# Its arguments end where they begin (PR_SET_MM, PR_SET_MM_MAP).
NAMELESS = """import ctypes, struct, sys
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
stat = [0, 0, 0] + [int(n) for n in open("/proc/self/stat").read().rsplit(")", 1)[1].split()[1:]]
code, stack, data, args = stat[25:27], stat[27], stat[44:46], stat[47]
layout = struct.pack("12QIi", *code, *data, stat[46], libc.sbrk(0), stack, args, args, *stat[49:51], 0, 0, -1)
assert libc.prctl(35, 14, layout, len(layout), 0) == 0
print("ready", flush=True)
sys.stdin.readline()
"""
HOOK = """import sys, time, warm
for _ in range(8):
    time.sleep(0.05)
print(warm.ready(), flush=True)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, host="127.0.0.1"):
    """The body of what a server there says, once there is one."""
    def ask():
        try:
            with socket.create_connection((host, port), 1) as conn:
                conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while data := conn.recv(4096):
                    answer += data
                return answer.split(b"\r\n\r\n", 1)[-1].decode()
        except OSError:
            return None
    return wait_for(ask, 10, 0.005)


class Ready(WarmCase):
    publish_app = False

    def explain(self, how):
        return ("--explain", "--ready", how)


class After(Ready):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.script = write(os.path.join(cls.daemon.dir, "count.pl"), COUNT)
        cls.first = cls.daemon.exec("perl", cls.script, "a", "b", options=("--explain", "--ready", "after:0.3"))
        cls.daemon.published()

    def again(self, *argv, how="after:0.3", **keywords):
        return self.daemon.exec(*(argv or ("perl", self.script, "a", "b")), options=self.explain(how), **keywords)

    def test_first_run_notices_nothing(self):
        self.assertCold(self.first, "no snapshot")
        self.assertEqual((self.first.code, self.first.out), (7, "begin a b\nend 123456 \n"))

    def test_clone_goes_on_from_there(self):
        for _ in range(3):
            result = self.assertClone(self.again())
            self.assertEqual((result.code, result.out), (7, "end 123456 \n"))
            self.daemon.full_pool()

    def test_several_at_once(self):
        launches = [self.daemon.popen("perl", self.script, "a", "b", options=self.explain("after:0.3")) for _ in range(4)]
        for result in map(finish, launches):
            self.assertEqual((self.assertClone(result).code, result.out), (7, "end 123456 \n"))

    def test_any_ready_takes_the_snapshot_there_is(self):
        self.assertClone(self.again(how="sdk"))

    def test_all_of_arguments_environment_directory_and_umask_count(self):
        def differs(words, *argv, **keywords):
            argv = argv or ("perl", self.script, "a", "b")
            result = self.daemon.exec(*argv, options=("--require", "--ready", "after:99"), **keywords)
            self.assertEqual((result.code, result.out), (125, ""))
            self.assertOneLine(result.err, words)
        differs("argument 3", "perl", self.script, "a", "c")
        differs("argument 3", "perl", self.script, "a")
        differs("environment WORD is new", env={"WORD": "x"})
        differs("working directory", cwd="/")
        differs("umask", umask=0o27)
        for ignored in ("TERM", "SSH_TTY", "_"):
            self.assertClone(self.again(env={ignored: "/x"}))
            self.daemon.full_pool()

    def test_what_is_ready_at_once_is_the_program_and_not_warm(self):
        script = write(os.path.join(self.daemon.dir, "at-once.pl"), COUNT)
        self.assertEqual(self.again("perl", script, how="after:0").code, 7)
        self.daemon.published(command=script)
        result = self.assertClone(self.again("perl", script, how="after:0"))
        self.assertEqual((result.code, result.out.splitlines()[-1]), (7, "end 123456 "))

    def test_program_that_ended_before_leaves_nothing(self):
        self.assertCold(self.again("/bin/echo", "x", how="after:5"))
        self.assertCold(self.again("/bin/echo", "x", how="after:5"), "no snapshot")

    def test_launch_right_behind_the_end_of_the_last(self):
        """The daemon may hear of the launch first."""
        warmd = self.daemon.warmd_pid()
        self.addCleanup(os.kill, warmd, signal.SIGCONT)
        for _ in range(9):
            last = self.daemon.popen("sleep", "77", options=("--ready", "after:99"))
            self.assertTrue(wait_for(lambda last=last: os.path.basename(os.readlink(f"/proc/{last.pid}/exe")) != "warm", 5))
            os.kill(warmd, signal.SIGSTOP)
            last.kill()
            last.communicate()
            launch = self.daemon.popen("sleep", "77", options=self.explain("after:99"))
            self.assertTrue(wait_for(lambda launch=launch: read(f"/proc/{launch.pid}/syscall").startswith("7 "), 5))  # poll(2)
            os.kill(warmd, signal.SIGCONT)
            reason = explanation(launch.stderr.readline().decode())["reason"]
            launch.kill()
            launch.communicate()
            if "did not answer" not in reason:  # within 100 ms
                break
        self.assertIn("no snapshot", reason)

    def test_hook_is_cold_at_once_there_and_in_clones(self):
        script = write(os.path.join(self.daemon.dir, "hook.py"), HOOK)
        self.assertEqual(self.again(PYTHON, script, how="after:0.2").out, "cold\n")
        self.daemon.published(command=script)
        self.assertEqual(self.assertClone(self.again(PYTHON, script, how="after:0.2")).out, "cold\n")

    def test_refusal_reaches_the_next_launch(self):
        argv = ("/bin/sh", "-c", "sleep 0.5; echo $?")
        self.assertEqual(self.again(*argv, how="after:0.2").out, "0\n")
        self.assertEqual(self.assertCold(self.again(*argv, how="after:9"), "child process").out, "0\n")

    def test_set_uid_program_behind_the_launch_is_refused(self):
        folder = self.folder("bin")
        sleep = shutil.copy("/bin/sleep", os.path.join(folder, "sleep"))
        os.chmod(sleep, 0o4755)
        os.chmod(self.daemon.socket, 0o666)
        words = subprocess.run(["/bin/sh", "-c", f"exec {BUILD}/warm --version"], user=65534, group=65534, check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if words.returncode:
            self.skipTest("uid 65534 cannot reach the build directory")
        who = {"user": 65534, "group": 65534, "extra_groups": []}
        argv = ("/bin/sh", "-c", f"exec {sleep} 0.6")
        self.assertEqual(self.again(*argv, how="after:0.2", **who).code, 0)
        again = self.assertCold(self.again(*argv, how="after:9", **who))
        self.assertRegex(again.reason, refusal("process %d has the rights of another user or group now"))

    def test_not_understood_is_125(self):
        for how in ("after:", "after:x", "after:.", "after:-1", "listen:0", "listen:65536", "listen:http", "stdout:",
                    "soon", "listen:80 "):
            result = self.daemon.exec("/bin/echo", "ran", options=("--ready", how))
            self.assertEqual((result.code, result.out), (125, ""), how)
            self.assertOneLine(result.err, "--ready", how)


class Listen(Ready):
    def serve(self, host, first=False):
        """Launches the server; returns what it said, its result."""
        launch = self.daemon.popen(PYTHON, self.script, str(self.port), host, options=self.explain(f"listen:{self.port}"))
        if first:  # before it answers: then it would be gone
            self.daemon.published(command=host)
        said = get(self.port, host)
        return said, finish(launch)

    def test_server(self):
        self.script = write(os.path.join(self.daemon.dir, "server.py"), SERVER)
        for host in ("127.0.0.1", "::1"):
            with self.subTest(host):
                self.port = free_port()
                said, first = self.serve(host, first=True)
                self.assertEqual((first.code, first.out), (0, "gone\n"))
                self.assertCold(first)
                for _ in range(3):
                    again, result = self.serve(host)
                    self.assertEqual((result.code, result.out, again), (0, "gone\n", said))
                    self.assertClone(result)
                    self.daemon.full_pool()

    def test_another_port_or_another_process_is_not_it(self):
        self.script = write(os.path.join(self.daemon.dir, "other.py"), SERVER)
        with socket.create_server(("127.0.0.1", 0)) as ours:
            self.port = free_port()
            launch = self.daemon.popen(PYTHON, self.script, str(self.port), "127.0.0.1",
                                       options=self.explain(f"listen:{ours.getsockname()[1]}"))
            time.sleep(0.5)
            self.assertTrue(get(self.port))
            self.assertEqual(finish(launch).code, 0)
        self.assertFalse([row for row in self.daemon.ls() if self.script in row["command"]])



class Process(Ready):
    """`warm snapshot PID`"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.script = write(os.path.join(cls.daemon.dir, "lines.pl"), LINES)
        os.chmod(cls.daemon.socket, 0o666)

    def start(self, *argv, **keywords):
        """A program as somebody started it, by itself; it has printed its first line."""
        time.sleep(0.03)    # when a process started is known to a clock tick or two: its files have to be older
        keywords.setdefault("env", self.daemon.env)
        process = subprocess.Popen(argv or ["perl", self.script, self.id()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, **keywords)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def take(self, process, *options, recorded=False, kept=()):
        done = self.daemon.warm("snapshot", str(process.pid), *options)
        self.assertEqual(done.code, 0, done.err + self.daemon.log()[-500:])
        notes = [*([] if recorded else ["not recorded"]), *kept]
        self.assertEqual(len(done.err.splitlines()), len(notes), done.err)
        for line, words in zip(done.err.splitlines(), notes):
            self.assertIn(words, line)
        self.daemon.full_pool()
        self.assertIn(done.out.strip(), [row["id"] for row in self.daemon.ls()])
        return done.out.strip()

    def ask(self, process, text):
        process.stdin.write(text.encode() + b"\n")
        process.stdin.flush()
        return process.stdout.readline().decode().strip()

    def refused(self, who, *words):
        done = self.daemon.warm("snapshot", *map(str, who))
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertOneLine(done.err, *words)

    def test_perl_goes_on_and_its_copies_know_what_it_knew(self):
        process = self.start()
        self.assertEqual(self.ask(process, "one"), "1 one")
        ident = self.take(process, "--name", "lines")
        self.assertEqual(self.ask(process, "two"), "2 one two")
        for word in ("three", "four"):
            result = self.assertClone(self.daemon.exec("perl", self.script, self.id(), stdin=word + "\n"))
            self.assertEqual((result.code, result.out, result.explained["snapshot"]), (7, f"2 one {word}\n", ident))
            self.daemon.full_pool()
        self.assertEqual(self.ask(process, "five"), "3 one two five")
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(5), 7)
        self.assertEqual([row["name"] for row in self.daemon.ls() if row["id"] == ident], ["lines"])

    def test_plain_launches_that_will_start_cold_are_named(self):
        """What a program has done itself looks as if it had been launched so."""
        rewrites = ["perl", "-e", '$| = 1; $0 = "server: idle"; print "ready\\n"; <STDIN>']
        ignores = ["bash", "-c", "echo ready; read -r line; echo got $line"]
        for argv, words in ((rewrites, 'command line reads "server: idle'), (ignores, "do not ignore SIGQUIT will start cold")):
            with self.subTest(argv[0]):
                done = self.daemon.warm("snapshot", str(self.start(*argv).pid))
                self.assertEqual(done.code, 0, done.err)
                seen, note = done.err.splitlines()
                self.assertIn("not recorded", seen)
                self.assertIn(words, note)
                self.assertCold(self.daemon.exec(*argv, stdin="x\n"))
        self.daemon.full_pool()
        result = self.daemon.exec(*ignores, stdin="x\n", preexec_fn=lambda: signal.signal(signal.SIGQUIT, signal.SIG_IGN))
        self.assertEqual(self.assertClone(result).out, "got x\n")

    def test_files_that_it_was_told_of_count(self):
        """Its script, and what other arguments and variables name; nobody has seen what it read."""
        folder = self.folder("told")
        script, data, other, config = (os.path.join(folder, name) for name in ("main.pl", "data", "other", "config"))
        env = {**self.daemon.env, "TOLD": "/nowhere:" + config}
        for changed in (script, data, other, config):
            with self.subTest(changed=changed):
                write(script, LINES)
                for path in (data, other, config):
                    write(path, "old")
                argv = ("perl", script, "data", "--other=" + other)
                process = self.start(*argv, env=env, cwd=folder)
                self.take(process)
                process.kill()
                process.wait()
                self.assertClone(self.daemon.exec(*argv, env=env, cwd=folder, stdin="x\n"))
                self.daemon.full_pool()
                write(changed, LINES + "\n")
                self.assertCold(self.daemon.exec(*argv, env=env, cwd=folder, stdin="x\n"), changed + " changed")
        late = write(os.path.join(folder, "late.pl"), LINES)
        process = self.start("perl", late)
        write(late, LINES + "# edited\n")
        self.refused((process.pid,), refusal(f"{late} changed after the program had started"))

    def test_python_through_a_link_in_path_and_a_relative_script(self):
        folder = self.folder("place")
        write(os.path.join(folder, "main.py"), "print('ready', flush=True)\nprint('got', input(), flush=True)\n")
        process = self.start("python3", "./main.py", cwd=folder)
        ident = self.take(process, kept=["Python's random"])
        result = self.assertClone(self.daemon.exec("python3", "./main.py", cwd=folder, stdin="x\n"))
        self.assertEqual((result.out, result.explained["snapshot"]), ("got x\n", ident))

    def test_sleeping_program_hits_while_it_sleeps(self):
        argv = ["perl", "-e", "$| = 1; print qq(ready\\n); sleep 1 while 1"]
        self.take(self.start(*argv))
        launch = self.daemon.popen(*argv, stdin=subprocess.PIPE)
        time.sleep(0.3)
        self.assertIsNone(launch.poll())
        launch.terminate()
        self.assertEqual((launch.wait(5), launch.communicate()[0]), (-15, b""))

    def test_newer_one_replaces_the_older(self):
        process = self.start()
        self.ask(process, "one")
        first = self.take(process)
        self.ask(process, "two")
        second = self.take(process)
        self.assertNotIn(first, [row["id"] for row in self.daemon.ls()])
        result = self.assertClone(self.daemon.exec("perl", self.script, self.id(), stdin="x\n"))
        self.assertEqual((result.out, result.explained["snapshot"]), ("3 one two x\n", second))

    def test_stop_ends_it_where_the_image_begins(self):
        """A program that works on meanwhile: no step is lost, none is done twice."""
        counter = os.path.join(self.daemon.dir, "steps")
        argv = ["perl", "-e", STEPS, counter]
        process = self.start(*argv)
        wait_for(lambda: os.path.getsize(counter) > 50)
        self.take(process, "--stop")
        self.assertEqual(process.wait(5), -9)
        before = os.path.getsize(counter)
        launch = self.daemon.popen(*argv, stdin=subprocess.PIPE)
        self.addCleanup(launch.communicate)
        self.addCleanup(launch.kill)
        self.assertTrue(wait_for(lambda: os.path.getsize(counter) > before + 50))
        launch.terminate()
        launch.wait(5)
        with open(counter, encoding="ascii") as file:
            steps = [int(line) for line in file.read().splitlines()]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def test_stop_that_comes_to_nothing_lets_it_run_on(self):
        process = self.start("sh", "-c", "echo ready; sleep 20 & read a; echo got $a; kill $!")
        self.refused((process.pid, "--stop"), refusal("process %d has a child process (%d)"))
        self.assertEqual(self.ask(process, "x"), "got x")
        process.wait(5)

    def test_stop_whose_asker_goes_lets_it_run_on(self):
        process = self.start()
        asker = subprocess.Popen([WARM, "--socket", self.daemon.socket, "snapshot", str(process.pid), "--stop"])
        time.sleep(0.02)
        asker.kill()
        if asker.wait() == 0:
            self.skipTest("it was done sooner")
        self.assertEqual(self.ask(process, "one"), "1 one")

    def test_program_of_warm_exec_that_is_not_ready_yet(self):
        launch = self.daemon.popen("perl", self.script, self.id(), options=("--ready", "after:99"), stdin=subprocess.PIPE)
        self.addCleanup(launch.communicate)
        self.addCleanup(launch.kill)
        self.assertEqual(launch.stdout.readline(), b"ready\n")
        self.take(launch, recorded=True)
        self.assertClone(self.daemon.exec("perl", self.script, self.id(), stdin="x\n"))
        self.assertEqual(self.ask(launch, "one"), "1 one")

    def test_ignored_signals_of_nohup_are_the_launchers(self):
        process = self.start("nohup", "perl", self.script, "nohup")
        self.take(process, kept=("do not ignore SIGHUP",))
        result = self.daemon.exec("perl", self.script, "nohup", options=("--require",), stdin="x\n")
        self.assertEqual(result.code, 125)
        self.assertOneLine(result.err, "HUP")

    def test_what_cannot_be_is_one_line(self):
        gone = subprocess.Popen(["/bin/true"])
        wait_for(lambda: state(gone.pid) == "Z")
        self.refused((gone.pid,), str(gone.pid), "has ended")
        gone.wait()
        self.refused((gone.pid,), str(gone.pid), "no such process")
        self.refused((1,), "process 1 ")
        if not os.path.exists("/proc/2/exe"):
            self.refused((2,), refusal("process 2 has no executable: it is the kernel's, or has ended"))
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        self.refused((thread.native_id,), f"process {thread.native_id}: that is a thread of process {os.getpid()}")
        stop.set()
        thread.join()
        for argv in ((), ("x",), ("0",), ("-1",), ("12x",), ("1", "2"), ("1", "--name"), ("1", "--no-such")):
            self.assertEqual(self.daemon.warm("snapshot", *argv).code, 2, argv)

    def test_warms_own_processes(self):
        """The daemon, its workers, standbys, supervisors; `warm exec`, and the copy behind it, which goes on."""
        self.take(self.start())
        argv = ("perl", self.script, self.id())
        copy = self.daemon.popen(*argv, options=("--require",), stdin=subprocess.PIPE)
        self.addCleanup(copy.communicate)
        self.addCleanup(copy.kill)
        self.assertEqual(self.ask(copy, "one"), "1 one")
        self.daemon.full_pool()
        self.refused((self.daemon.warmd_pid(),), refusal("process %d is Warm's own daemon"))
        self.refused((self.daemon.process.pid,), "daemon")
        pids = descendants(self.daemon.process.pid) + [copy.pid]
        one_each = {name: pid for pid, (_, name) in processes().items() if pid in pids}
        for name in ("warm", "warm-init", "warm-restore", "perl"):
            words = "part of warm" if name.startswith("warm") else "it is a copy"
            self.refused((one_each[name],), f"process {one_each[name]} ", words)
        self.assertEqual(self.ask(copy, "two"), "2 one two")
        self.daemon.full_pool()
        self.assertClone(self.daemon.exec(*argv, stdin="x\n"))

    def test_itself(self):
        done = subprocess.run(["sh", "-c", 'exec "$@" $$', "sh", WARM, "--socket", self.daemon.socket, "snapshot"], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.daemon.env)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertOneLine(done.stderr, "part of warm")

    def test_one_that_ends_just_then(self):
        """An id or a reason, and its parent hears what it would have heard."""
        for n in range(12):
            argv = ("/usr/bin/perl", "-e", f"select undef, undef, undef, {random.uniform(0, 0.1)}; exit {n}")
            process = subprocess.Popen(argv, env=self.daemon.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            done = self.daemon.warm("snapshot", str(process.pid))
            self.assertEqual((process.wait(10), process.communicate()[0]), (n, b""))
            self.assertIn(done.code, (0, 1))
            if done.code:
                self.assertOneLine(done.err, f"process {process.pid}")

    def test_one_in_a_pid_namespace_of_its_own(self):
        """Its first process has a part to play there; another one is as good as any."""
        init = self.start("unshare", "--pid", "--fork", "bash", "-c", f"perl {self.script} {self.id()}; :")
        bash, = [pid for pid in descendants(init.pid) if processes()[pid][1] == "bash"]
        program, = [pid for pid in descendants(bash) if processes()[pid][1] == "perl"]
        self.refused((bash,), f"process {bash} ")
        done = self.daemon.warm("snapshot", str(program))
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(self.ask(init, "one"), "1 one")
        self.daemon.full_pool()
        self.assertEqual(self.assertClone(self.daemon.exec("perl", self.script, self.id(), stdin="x\n")).out, "1 x\n")

    def program(self, *, mode=0o755, name="sleeper"):
        """A copy of perl, with these rights, that sleeps."""
        path = shutil.copy("/usr/bin/perl", os.path.join(self.folder("bin"), name))
        os.chmod(path, mode)
        return path

    def sleeper(self, path, **keywords):
        return self.start(path, "-e", "$| = 1; print qq(ready\\n); <>", **keywords)

    def test_programs_with_rights_of_their_own(self):
        path = self.program(mode=0o4755)
        self.refused((self.sleeper(path).pid,), refusal(f"{path} is set-uid"))
        path = self.program(mode=0o2755)
        self.refused((self.sleeper(path).pid,), refusal(f"{path} is set-gid"))
        path = self.program()
        done = subprocess.run(["setcap", "cap_net_raw+ep", path], check=False, stderr=subprocess.PIPE)
        if done.returncode:
            self.skipTest(f"no file capabilities here: {done.stderr.decode().strip()}")
        self.refused((self.sleeper(path).pid,), refusal(f"{path} has file capabilities"))

    def test_program_that_never_is_warm(self):
        path = self.program(name="podman")
        self.refused((self.sleeper(path).pid,), refusal(f"process %d: {path} is on the never-warm list"))

    def test_process_elsewhere_and_asked_for_from_elsewhere(self):
        if os.geteuid():
            self.skipTest("only root can make namespaces")
        other = self.start("unshare", "--mount", "perl", "-e", "$| = 1; print qq(ready\\n); <>")
        self.refused((other.pid,), refusal(f"process {other.pid} has another mount namespace or root directory than warmd: it is a copy, or in a container"))
        done = subprocess.run(["unshare", "--pid", "--fork", WARM, "--socket", self.daemon.socket, "snapshot", str(other.pid)],
                              env=self.daemon.env, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertOneLine(done.stderr, refusal("the caller has another pid namespace than warmd"))

    def test_process_without_arguments(self):
        process = self.start(PYTHON, "-c", NAMELESS)
        self.assertEqual(os.readlink(f"/proc/{process.pid}/exe"), os.path.realpath(PYTHON))
        self.refused((process.pid,), refusal(f"process {process.pid} has no arguments to know it by"))

    def traced(self, process, tracer):
        self.addCleanup(tracer.communicate)
        self.addCleanup(tracer.kill)
        self.assertTrue(wait_for(lambda: traced(process.pid), 20))
        self.refused((process.pid,), refusal(f"thread {process.pid} is being traced already, by process {tracer.pid}"))
        self.assertTrue(traced(process.pid))

    def test_traced_by_strace(self):
        if not shutil.which("strace"):
            self.skipTest("no strace here")
        process = self.start()
        tracer = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(process.pid)], stderr=subprocess.PIPE)
        self.traced(process, tracer)
        tracer.terminate()
        self.assertEqual(self.ask(process, "one"), "1 one")
        self.assertFalse(traced(process.pid))

    def test_stopped_by_gdb(self):
        if not shutil.which("gdb"):
            self.skipTest("no gdb here")
        process = self.start()
        tracer = subprocess.Popen(["gdb", "-nx", "-q", "-p", str(process.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.traced(process, tracer)
        tracer.communicate(b"detach\nquit\n")
        self.assertEqual(self.ask(process, "one"), "1 one")
        self.take(process)

    def test_only_root_and_the_owner_may(self):
        if os.geteuid():
            self.skipTest("only root can be others")
        reach = subprocess.run([WARM, "--version"], user=65534, group=65534, check=False, stdout=subprocess.DEVNULL)
        if reach.returncode:
            self.skipTest("uid 65534 cannot reach the build directory")
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}

        def as_nobody(pid):
            return subprocess.run([WARM, "--socket", self.daemon.socket, "snapshot", str(pid)], check=False, timeout=20,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.daemon.env, **nobody)
        ours = self.start()
        done = as_nobody(ours.pid)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertOneLine(done.stderr, refusal(f"process {ours.pid} is not yours"))
        self.assertEqual(self.ask(ours, "one"), "1 one")
        hidden = self.start("perl", "-e", "syscall(157, 4, 0, 0, 0, 0); $| = 1; print qq(ready\\n); <>",
                            **nobody)
        self.assertEqual(as_nobody(hidden.pid).returncode, 1)
        theirs = self.start("perl", self.script, "nobody", **nobody)
        done = as_nobody(theirs.pid)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertOneLine(done.stderr, "not recorded")
        self.daemon.full_pool()
        result = self.daemon.exec("perl", self.script, "nobody", stdin="x\n", **nobody)
        self.assertEqual(self.assertClone(result).out, "1 x\n")
        self.assertCold(self.daemon.exec("perl", self.script, "nobody", stdin="x\n"))


class Silent(Ready):
    """Programs that never say that they are ready: the next launch hears what to do about it."""

    def reason(self, *argv, options=("--explain",)):
        return self.assertCold(self.daemon.exec(*argv, options=options)).reason

    def test_run_that_ended(self):
        perl = shutil.which("perl")
        for how, words in (("sdk", "has not said that it was ready; call the hook, or use --ready"),
                           ("after:99", "ended before it was ready (--ready after:99)"),
                           ("stdout:never", "ended before it was ready (--ready stdout:never)")):
            with self.subTest(how):
                argv = ("perl", "-e", "print 1", how)
                self.assertEqual(self.reason(*argv, options=self.explain(how)), f"no snapshot of {perl} yet")
                wanted = f"no snapshot of {perl} yet: its last run {words}"
                self.assertTrue(wait_for(lambda: self.reason(*argv, options=self.explain(how)) == wanted, 5),  # its end is heard of
                                self.reason(*argv, options=self.explain(how)))
                self.assertEqual(self.reason("perl", "-e", "print 2", how), f"no snapshot of {perl} yet")

    def test_run_that_goes_on(self):
        argv = ("perl", "-e", "$| = 1; print qq(up\\n); <STDIN>")
        first = self.daemon.popen(*argv, stdin=subprocess.PIPE)
        self.assertEqual(first.stdout.readline(), b"up\n")
        keywords = {"stdin": "", "options": ("--explain",)}
        self.assertCold(self.daemon.exec(*argv, **keywords), "another first launch of it is under way")
        self.assertTrue(wait_for(lambda: "has run for" in self.daemon.exec(*argv, **keywords).reason, 10, 0.2))
        self.assertCold(self.daemon.exec(*argv, **keywords), "another first launch of it has run for ",
                        " s and has not said that it is ready: call the hook, or use --ready")
        self.assertEqual(finish(first, "").code, 0)

    def test_other_script_of_the_interpreter(self):
        """The snapshots of other programs say nothing of this one's."""
        one, other, none = [write(os.path.join(self.daemon.dir, name), text) for name, text in
                            (("one.py", HOOK), ("other.py", "import warm\nprint(warm.ready(argv=True))\n"), ("none.py", "print(1)\n"))]
        for script in (one, other):
            make_snapshot(self.daemon, PYTHON, script)
        self.assertEqual(self.reason(PYTHON, none, "a"), f"no snapshot of {none} yet")
        self.assertEqual(self.reason(PYTHON, "-m", "json.tool", "-h"), "no snapshot of json.tool yet")
        self.assertEqual(self.reason(PYTHON, "-c", "print(2)"), f"no snapshot of {PYTHON} yet")
        self.assertEqual(self.reason(PYTHON, one, "a"), 'argument 2 is "a", was not there')
        os.utime(other)
        self.assertIn("other.py", self.reason(PYTHON, other))
        self.assertEqual(self.reason(PYTHON, none, "b"), f"no snapshot of {none} yet")


if __name__ == "__main__":
    import unittest
    unittest.main()
