# SPDX-License-Identifier: MIT
"""Servers that know nothing of Warm: snapshotted when they listen, and each copy asked what a cold run is asked."""
import os
import shutil
import signal
import socket
import subprocess
import unittest

import harness
from harness import CLONE_TIERS
from runtime import LAUNCHES, RuntimeCase

REDIS = b"SET a 1\r\nINCR a\r\nLPUSH l x y z\r\nLRANGE l 0 -1\r\nDBSIZE\r\n"
MEMCACHED = b"set a 0 0 5\r\nhello\r\nget a\r\nincr b 1\r\nversion\r\n"
ASK = """import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as s:
    s.sendall(bytes.fromhex(sys.argv[2]))
    s.settimeout(10)
    got = b""
    while len(got) < int(sys.argv[3]):
        got += s.recv(4096)
sys.stdout.buffer.write(got)
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def connected(port):
    try:
        return socket.create_connection(("127.0.0.1", port), 10)
    except ConnectionRefusedError:
        return None


def ask(port, request, size):
    """The first `size` bytes of the answer (0: what comes at once)."""
    with harness.wait_for(lambda: connected(port), 10, 0.001) as sock:
        sock.settimeout(10)
        sock.sendall(request)
        got = b""
        while len(got) < (size or 1):
            got += sock.recv(4096)
        if not size:
            sock.settimeout(0.2)
            try:
                while True:
                    got += sock.recv(4096)
            except TimeoutError:
                pass
    return got


class Servers(RuntimeCase):
    ends_by = signal.SIGTERM

    def end(self, launch):
        launch.send_signal(self.ends_by)
        return harness.finish(launch)

    def check_server(self, command, request):
        port = free_port()
        command = [word.replace("PORT", str(port)) for word in command]
        options = ("--ready", f"listen:{port}", "--explain")
        cold = self.daemon.popen(*command, options=("--cold", "--explain"))
        answer = ask(port, request, 0)
        code = self.end(cold).code
        first = self.daemon.popen(*command, options=options)
        self.daemon.published(1, seconds=30, command=command[0])
        self.assertEqual(ask(port, request, len(answer)), answer, "the original did not go on")
        self.assertEqual(self.end(first).code, code)
        for i in range(LAUNCHES):
            self.daemon.full_pool()
            launch = self.daemon.popen(*command, options=options)
            self.assertEqual(ask(port, request, len(answer)), answer, f"launch {i}\n{self.daemon.log()[-1000:]}")
            result = self.end(launch)
            self.assertIn(result.tier, CLONE_TIERS, f"launch {i}: {result!r}")
            self.assertEqual(result.code, code, f"launch {i}: {result!r}")
        self.check_at_once(command, port, request, answer)

    def check_at_once(self, command, port, request, answer):
        """Three at a time, each on a loopback of its own."""
        options = ("--net", "private", "--ready", f"listen:{port}", "--explain")
        first = self.daemon.popen(*command, options=options)
        self.daemon.published(2, seconds=30, command=command[0])
        self.end(first)
        for _ in range(10):
            self.daemon.full_pool()
            launches = [self.daemon.popen(*command, options=options) for _ in range(3)]
            for launch in launches:
                pid = harness.wait_for(lambda launch=launch: self.program(launch), 10)
                said = subprocess.run(["nsenter", "-t", str(pid), "-n", harness.PYTHON, "-c", ASK, str(port), request.hex(),
                                       str(len(answer))], stdout=subprocess.PIPE, timeout=20, check=False).stdout
                self.assertEqual(said, answer)
            for launch in launches:
                self.assertIn(self.end(launch).tier, CLONE_TIERS)

    @staticmethod
    def program(launch):
        try:
            return harness.program_behind(launch)
        except AssertionError:
            return None

    def server(self, name):
        path = shutil.which(name, path="/usr/bin:/usr/sbin")
        if not path:
            self.skipTest(f"{name} is not installed (make test-runtimes does)")
        return path

    def test_redis(self):
        self.check_server([self.server("redis-server"), "--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                           "--dir", os.path.join(self.daemon.dir)], REDIS)

    def test_memcached(self):
        self.ends_by = signal.SIGALRM   # it looks for SIGTERM once in a second only
        self.check_server([self.server("memcached"), "-u", "root", "-l", "127.0.0.1", "-p", "PORT", "-U", "0", "-t", "4"], MEMCACHED)


if __name__ == "__main__":
    unittest.main()
