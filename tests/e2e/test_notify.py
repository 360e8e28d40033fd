# SPDX-License-Identifier: MIT
"""systemd's READY=1: the first run and each copy of it as the main process of a Type=notify unit."""
import array
import os
import signal
import socket
import struct
import subprocess
import unittest

from case import WarmCase, write
from harness import PYTHON, finish, wait_for

# What sd_notify(3) does, and one line of input for each step.
SAYS = """import os, socket, sys
def say(text, *fds):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(os.environ["NOTIFY_SOCKET"])
        socket.send_fds(to, [text.encode()], fds) if fds else to.send(text.encode())
def barrier():
    mine, theirs = os.pipe()
    say("BARRIER=1", theirs)
    os.close(theirs)
    os.read(mine, 1)
    os.close(mine)
def from_child(text):
    if not os.fork():
        say(text)
        os._exit(0)
    os.wait()
exec(sys.argv[1])
"""


class Case(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.script = write(os.path.join(cls.daemon.dir, "says.py"), SAYS)

    def setUp(self):
        super().setUp()
        self.address = os.path.join(self.daemon.dir, self.id().rsplit(".", maxsplit=1)[-1])
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(self.address)
        self.manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.manager.settimeout(10)

    def launch(self, code, options=("--explain",), told=True, **keywords):
        env = {"NOTIFY_SOCKET": self.address} if told else {}
        keywords.setdefault("stdin", subprocess.PIPE)
        launch = self.daemon.popen(PYTHON, self.script, code, options=options, env=env, **keywords)
        self.addCleanup(lambda: (launch.kill(), launch.communicate()) if launch.poll() is None else None)
        return launch

    def hear(self):
        """The next message, the pid that the kernel says sent it, and its descriptors."""
        data, controls, _, _ = self.manager.recvmsg(4096, 4096)
        pid, fds = 0, []
        for _, kind, value in controls:
            if kind == socket.SCM_CREDENTIALS:
                pid = struct.unpack("3i", value)[0]
            else:
                found = array.array("i")
                found.frombytes(value)
                fds += found
        return data.decode(), pid, fds

    def assertHeard(self, launch, *texts):
        for text in texts:
            data, pid, fds = self.hear()
            self.assertEqual((data, pid, fds), (text, launch.pid, []))


class Notify(Case):
    def test_first_run_and_copies(self):
        code = "say('READY=1\\nSTATUS=up'); sys.stdin.readline(); say('STATUS=busy'); say('STOPPING=1'); sys.exit(4)"
        first = self.launch(code)
        self.assertHeard(first, "READY=1\nSTATUS=up")
        self.daemon.published(command=code)
        done = finish(first, "\n")
        self.assertEqual((self.assertCold(done).code, done.out), (4, ""))
        self.assertHeard(first, "STATUS=busy", "STOPPING=1")
        for _ in range(3):
            self.daemon.full_pool()
            copy = self.launch(code)
            self.assertHeard(copy, "READY=1")  # of `warm exec`, at GO: the copy has said it in another life
            done = finish(copy, "\n")
            self.assertEqual(self.assertClone(done).code, 4)
            self.assertHeard(copy, "STATUS=busy", "STOPPING=1")

    def test_two_copies_at_once_have_a_socket_each(self):
        code = "say('READY=1'); word = sys.stdin.readline().strip(); say('STATUS=' + word); sys.stdin.readline()"
        first = self.launch(code)
        self.assertHeard(first, "READY=1")
        self.daemon.published(command=code)
        copies = []
        for word in (b"one\n", b"two\n"):
            self.daemon.full_pool()
            copy = self.launch(code)
            self.assertHeard(copy, "READY=1")
            copies.append((copy, word))
        for copy, word in copies:
            copy.stdin.write(word)
            copy.stdin.flush()
            self.assertHeard(copy, "STATUS=" + word.decode().strip())
        for launch in (first, copies[0][0], copies[1][0]):
            self.assertEqual(finish(launch, "\n\n").code, 0)

    def test_descriptors_barriers_and_the_main_pid(self):
        code = "say(f'MAINPID={os.getpid()}\\nREADY=1'); sys.stdin.readline(); r, w = os.pipe(); say('FDSTORE=1\\nFDNAME=x', r); " \
               "os.write(w, b'kept'); os.close(r); os.close(w); barrier(); say(f'MAINPID={os.getpid()}'); say('STATUS=done')"
        first = self.launch(code)
        self.assertHeard(first, "READY=1")
        self.daemon.published(command=code)
        for launch in (first, None):
            if launch is None:
                self.daemon.full_pool()
                launch = self.launch(code)
                self.assertHeard(launch, "READY=1")
            launch.stdin.write(b"\n")
            launch.stdin.flush()
            data, pid, fds = self.hear()
            self.assertEqual((data, pid, len(fds)), ("FDSTORE=1\nFDNAME=x", launch.pid, 1))
            self.assertEqual(os.read(fds[0], 9), b"kept")
            os.close(fds[0])
            data, pid, fds = self.hear()
            self.assertEqual((data, len(fds)), ("BARRIER=1", 1))
            self.assertIsNone(launch.poll())
            os.close(fds[0])
            self.assertHeard(launch, "STATUS=done")
            self.assertEqual(finish(launch).code, 0)

    def test_hook_first_and_ready_behind_it(self):
        code = "import warm; warm.ready(); say('READY=1'); sys.stdin.readline()"
        for attempt in range(2):
            launch = self.launch(code)
            self.assertHeard(launch, "READY=1")
            done = finish(launch, "\n")
            self.assertEqual((done.code, done.tier == "cold_start"), (0, attempt == 0), done)
            self.daemon.published(command=code)

    def test_printed_text_and_ready_before_it(self):
        code = "say('READY=1'); print('up', flush=True); sys.stdin.readline(); print('end')"
        for attempt in range(2):
            launch = self.launch(code, options=("--explain", "--ready", "stdout:up"))
            self.assertHeard(launch, "READY=1")
            if not attempt:
                self.daemon.published(command=code)
            done = finish(launch, "\n")
            self.assertEqual((done.code, done.out), (0, "end\n" if attempt else "up\nend\n"))

    def test_of_a_child_is_passed_on_and_no_snapshot(self):
        code = "from_child('READY=1'); sys.stdin.readline()"
        launch = self.launch(code)
        self.assertHeard(launch, "READY=1")
        self.assertEqual(finish(launch, "\n").code, 0)
        self.assertEqual([row for row in self.daemon.ls() if code in row["command"]], [])

    def test_offered_where_the_caller_has_none(self):
        code = "say('READY=1'); sys.stdin.readline(); print('on')"
        first = self.launch(code, options=("--explain", "--ready", "sdk"), told=False)
        self.daemon.published(command=code)
        self.assertEqual(finish(first, "\n").out, "on\n")
        self.daemon.full_pool()
        copy = finish(self.launch(code, told=False), "\n")
        self.assertEqual(self.assertClone(copy).out, "on\n")
        self.daemon.full_pool()
        told = self.launch(code)
        self.assertHeard(told, "READY=1")
        self.assertEqual(self.assertClone(finish(told, "\n")).out, "on\n")

    def test_nobody_is_given_what_they_did_not_ask_for(self):
        code = "print(os.environ.get('NOTIFY_SOCKET'))"
        self.assertEqual(finish(self.launch(code, told=False)).out, "None\n")

    def test_snapshot_without_serves_no_launch_with(self):
        code = "import warm; warm.ready(); print('on', flush=True); 'NOTIFY_SOCKET' in os.environ and say('READY=1')"
        self.assertEqual(finish(self.launch(code, told=False)).code, 0)
        self.daemon.published(command=code)
        launch = self.launch(code)
        self.assertHeard(launch, "READY=1")
        self.assertCold(finish(launch), "there is a NOTIFY_SOCKET")

    def test_names_go_with_the_run(self):
        code = "say('READY=1'); sys.stdin.readline()"
        launch = self.launch(code)
        self.assertHeard(launch, "READY=1")
        folder = self.daemon.socket + ".notify"
        before = set(os.listdir(folder))
        self.assertTrue(before)
        self.assertEqual(finish(launch, "\n").code, 0)
        self.assertTrue(wait_for(lambda: set(os.listdir(folder)) < before, 5))


class Restarted(Case):
    def test_signal_and_killed_warmd(self):
        code = "say('READY=1'); print('up', flush=True); sys.stdin.readline(); say('STATUS=still'); sys.stdin.readline()"
        first = self.launch(code)
        self.assertHeard(first, "READY=1")
        self.assertEqual(first.stdout.readline(), b"up\n")
        os.kill(self.daemon.warmd_pid(), signal.SIGKILL)
        self.daemon.process.wait(5)
        self.daemon.stop()
        self.daemon.start()  # which leaves alone what is in use
        first.stdin.write(b"\n")
        first.stdin.flush()
        self.assertHeard(first, "STATUS=still")
        first.terminate()
        self.assertEqual(first.wait(10), -signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
