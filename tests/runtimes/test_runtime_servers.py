# SPDX-License-Identifier: MIT
"""Servers that know nothing of Warm: snapshotted when they listen, and each copy asked what a cold run is asked."""
import concurrent.futures
import ctypes
import os
import shutil
import signal
import socket
import unittest

import harness
from harness import CLONE_TIERS
from runtime import LAUNCHES, RuntimeCase

# What is asked differs from launch to launch.
REDIS = [b"SET a %d\r\nINCR a\r\nLPUSH l x y z%d\r\nLRANGE l 0 -1\r\nDBSIZE\r\n" % (i, i) for i in (1, 22, 333)]
MEMCACHED = [b"set a 0 0 %d\r\n%s\r\nget a\r\nincr b 1\r\nversion\r\n" % (len(text), text) for text in (b"hello", b"you", b"out there")]
AT_ONCE = 4
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


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


def ask_in_network_of(pid, port, request, size):
    """The same, in a thread that ends in that network."""
    def inside():
        with open(f"/proc/{pid}/ns/net", "rb") as network:
            if LIBC.setns(network.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return ask(port, request, size)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(inside).result()


class Servers(RuntimeCase):
    ends_by = signal.SIGTERM

    def end(self, launch):
        launch.send_signal(self.ends_by)
        return harness.finish(launch)

    def check_server(self, command, requests):
        port = free_port()
        command = [word.replace("PORT", str(port)) for word in command]
        options = ("--ready", f"listen:{port}", "--explain")
        answers = []
        for request in requests:
            cold = self.daemon.popen(*command, options=("--cold", "--explain"))
            answers.append(ask(port, request, 0))
            code = self.end(cold).code
        self.assertEqual(len(set(answers)), len(requests), answers)
        first = self.daemon.popen(*command, options=options)
        self.daemon.published(1, seconds=30, command=command[0])
        self.assertEqual(ask(port, requests[0], len(answers[0])), answers[0], "the original did not go on")
        self.assertEqual(self.end(first).code, code)
        for i in range(LAUNCHES // 4):
            self.daemon.full_pool()
            request, answer = requests[i % len(requests)], answers[i % len(requests)]
            launch = self.daemon.popen(*command, options=options)
            self.assertEqual(ask(port, request, len(answer)), answer, f"launch {i}\n{self.daemon.log()[-1000:]}")
            result = self.end(launch)
            self.assertIn(result.tier, CLONE_TIERS, f"launch {i}: {result!r}")
            self.assertEqual(result.code, code, f"launch {i}: {result!r}")
        self.check_at_once(command, port, list(zip(requests, answers)), code)

    def check_at_once(self, command, port, talks, code):
        """Four at a time, each on a loopback of its own."""
        options = ("--net", "private", "--ready", f"listen:{port}", "--explain")
        first = self.daemon.popen(*command, options=options)
        self.daemon.published(2, seconds=30, command=command[0])
        self.end(first)
        for begin in range(0, LAUNCHES, AT_ONCE):
            self.daemon.full_pool()
            launches = [self.daemon.popen(*command, options=options) for _ in range(AT_ONCE)]
            for i, launch in enumerate(launches, begin):
                request, answer = talks[i % len(talks)]
                pid = harness.wait_for(lambda launch=launch: self.program(launch), 10)
                self.assertEqual(ask_in_network_of(pid, port, request, len(answer)), answer, f"launch {i}")
            for i, launch in enumerate(launches, begin):
                result = self.end(launch)
                self.assertIn(result.tier, CLONE_TIERS, f"launch {i}: {result!r}")
                self.assertEqual(result.code, code, f"launch {i}: {result!r}")

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
