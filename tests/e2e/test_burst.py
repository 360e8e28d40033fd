# SPDX-License-Identifier: MIT
"""Many launches at once: each hears in time that it is to wait, none starts cold, all run once and in order."""
import collections
import json
import os
import re
import select
import signal
import socket
import struct
import sys
import threading
import time
import unittest

from case import WarmCase, read
from harness import APP, ROOT, finish, wait_for

MAGIC, FDS_MAX = 0x584d5257, 64
PENDING, RUNNING = 1, 2
HEADER = struct.Struct(f"<IHHIIQQIIII{FDS_MAX}i")
REPLY = struct.Struct("<III")           # magic, kind, tier; then what --explain tells; at the end:
REASON = struct.Struct("240s256s108s4x")  # reason, env, notify
SILENCE = 0.1       # LAUNCH_SILENCE_MS
TIERS = ("hot", "template", "cold_restore", "cold_start")


def version():
    """Of the messages, as this build has it."""
    return int(re.search(r"#define LAUNCH_VERSION +(\d+)", read(os.path.join(ROOT, "proto", "launch.h"))).group(1))


class Launch:
    """What `warm exec` sends, without a process for each: proto/launch.h."""

    def __init__(self, path, argv, env):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.connect(path)
        self.control, supervisors = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        carrier, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        token = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.out, out = os.pipe()
        error, err = os.pipe()
        null = os.open("/dev/null", os.O_RDONLY)
        strings = [argv[0], os.getcwd(), "", "", *argv, *(f"{name}={value}" for name, value in env.items())]
        text = b"".join(word.encode() + b"\0" for word in strings)
        head = HEADER.pack(MAGIC, version(), 3, HEADER.size + len(text), 0, 0, time.monotonic_ns(), 0, 0, len(argv), len(env), 0, 1, 2,
                           *[0] * (FDS_MAX - 3))
        socket.send_fds(sender, [b"\0"], [null, out, err])
        socket.send_fds(self.sock, [head + text], [supervisors.fileno(), token, carrier.fileno()])
        for end in (supervisors, carrier, sender):
            end.close()
        for number in (token, out, error, err, null):
            os.close(number)
        self.heard = []     # (seconds, kind)
        self.tier = None

    def hear(self, since):
        data = self.sock.recv(4096)
        if len(data) < REPLY.size + REASON.size:
            raise AssertionError(f"a reply of {len(data)} bytes behind {self.heard}")
        _, kind, tier = REPLY.unpack_from(data)
        self.heard.append((time.monotonic() - since, kind))
        if kind != PENDING:
            self.tier, self.reason = TIERS[tier], REASON.unpack(data[-REASON.size:])[0].split(b"\0")[0].decode()
        return kind != PENDING

    def silences(self, since):
        """From word to word, the first from `since` on."""
        times = [since] + [seconds for seconds, _ in self.heard]
        return [after - before for before, after in zip(times, times[1:])]

    def printed(self):
        text = b""
        while part := os.read(self.out, 4096):
            text += part
        return text.decode()

    def close(self):
        os.close(self.out)
        self.control.close()
        self.sock.close()


class TestCrowd(WarmCase):
    """The daemon finds all of them at its door when it wakes up."""

    def setUp(self):
        super().setUp()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # python ignores them: the programs here have them as usual
            self.addCleanup(signal.signal, number, signal.signal(number, signal.SIG_DFL))

    def crowd(self, n):
        """In self.order their numbers in the order in which they were decided."""
        launches, self.order = [], []
        self.addCleanup(lambda: [launch.close() for launch in launches])
        pid = self.daemon.warmd_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(n):
                launches.append(Launch(self.daemon.socket, (APP, "outcome"), self.daemon.env))
            listener = threading.Thread(target=self.listen, args=(launches, pid))
            listener.start()
            listener.join()
        finally:
            os.kill(pid, signal.SIGCONT)
        return launches

    def listen(self, launches, pid):
        """Lets the daemon go on, until each is decided. In a thread of its own, with a priority of its own: what is measured is
        when the daemon has spoken, on a busy machine, too."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -20)
        poll = select.poll()
        by_fd = {launch.sock.fileno(): number for number, launch in enumerate(launches)}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        since = time.monotonic()
        os.kill(pid, signal.SIGCONT)
        while len(self.order) < len(launches) and time.monotonic() - since < 60:
            for fd, _ in poll.poll(1000):
                if launches[by_fd[fd]].hear(since):
                    self.order.append(by_fd[fd])
                    poll.unregister(fd)

    def check(self, n):
        was = self.stats()
        launches = self.crowd(n)
        self.assertEqual(len(self.order), n)
        self.assertEqual(collections.Counter(launch.printed() for launch in launches), {"restored\n": n})
        served = collections.Counter(launch.tier for launch in launches)
        self.assertFalse(set(served) - {"hot", "template"}, [launch.reason for launch in launches if launch.tier not in ("hot", "template")])
        self.assertEqual(self.stats()["launches"]["cold_start"], was["launches"]["cold_start"])
        # In order, but for those that are being made beside one another.
        late = max(place - number for place, number in enumerate(self.order))
        self.assertLess(late, 32, self.order)
        return launches

    def stats(self):
        return json.loads(self.daemon.warm("--json", "stats").out)

    def silence(self, launches):
        """The longest of anybody. Counted from the first word of all: how soon the daemon is awake is the machine's affair."""
        since = min(launch.heard[0][0] for launch in launches)
        return max(max(launch.silences(since)) for launch in launches)

    def test_100_hear_in_time_that_they_are_to_wait(self):
        self.assertLess(self.silence(self.check(100)), SILENCE)

    def test_500_hear_in_time_that_they_are_to_wait(self):
        launches = self.check(500)
        first = sorted(launch.heard[0][0] for launch in launches)
        self.assertLess(first[-1] - first[0], SILENCE, [round(seconds, 3) for seconds in first[::25]])
        self.assertEqual(self.stats()["templates"], 1)

    def test_one_alone_is_not_told_to_wait(self):
        launches = self.check(1)
        self.assertEqual([kind for _, kind in launches[0].heard], [RUNNING])
        self.assertEqual(launches[0].tier, "hot")


class TestBurst(WarmCase):
    def launch(self, path, n):
        return [self.daemon.popen(APP, "append", path, f"launch-{i}", "exit", str(i % 7)) for i in range(n)]

    def check(self, path, processes):
        n = len(processes)
        results = [finish(process, timeout=60) for process in processes]
        wait_for(lambda: read(path).count("\n") >= n, 5)
        counts = collections.Counter(read(path).split())
        self.assertEqual([result.code for result in results], [i % 7 for i in range(n)], results)
        self.assertEqual([counts[f"launch-{i}"] for i in range(n)], [1] * n)

    def stats(self):
        return json.loads(self.daemon.warm("--json", "stats").out)

    def test_100_without_a_template(self):
        """Two at a time from disk, the others wait for those, or for the template that is made meanwhile."""
        self.daemon.stop()
        self.daemon.start()
        path = os.path.join(self.daemon.dir, "restarted")
        self.check(path, self.launch(path, 100))
        served = self.stats()["launches"]
        self.assertEqual(served["cold_start"], 0, (served, self.daemon.log()))
        self.assertEqual(sum(served.values()), 100)
        self.assertTrue(wait_for(lambda: self.stats()["templates"] == 1, 10), self.stats())
        self.assertLessEqual(self.stats()["loaders"], 2)

    def test_daemon_killed_in_the_middle(self):
        for attempt, n in enumerate((5, 40, 75)):
            path = os.path.join(self.daemon.dir, f"killed-{attempt}")
            processes = self.launch(path, n)
            os.kill(self.daemon.warmd_pid(), signal.SIGKILL)
            processes += [self.daemon.popen(APP, "append", path, f"launch-{i}", "exit", str(i % 7)) for i in range(n, 80)]
            self.check(path, processes)
            self.daemon.process.wait(5)  # warm-spawn ends with it
            self.daemon.process = None
            self.daemon.start()


if __name__ == "__main__":
    sys.exit(unittest.main())
