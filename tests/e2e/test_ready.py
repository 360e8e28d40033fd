# SPDX-License-Identifier: MIT
"""Programs that know nothing of Warm: --ready after: and listen:, and what the key of their snapshots is."""
import os
import shutil
import socket
import subprocess
import time

from case import WarmCase, write
from harness import BUILD, PYTHON, finish, wait_for

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
        self.assertIn("has the rights of another user", self.daemon.log())
        self.assertCold(self.again(*argv, how="after:9", **who), "rights of another user")

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


if __name__ == "__main__":
    import unittest
    unittest.main()
