# SPDX-License-Identifier: MIT
"""The hook's connection to warmd: one SEQPACKET socket. The messages are in _wire."""

import _socket
import fcntl
import os
import struct

from ._wire import (ARGV, COLD, ENV, ENV_CHANGE, GENERATION, HELLO, HOOK, LAUNCH_FIXED_ARGS, MAGIC, MESSAGE_MAX, OUTCOME, PENDING,
                    depends_requests, fields, text)

HIGH_FD = 100           # out of the way of the descriptors that a launch brings
FIRST_WORD_S = 0.1      # a daemon that hangs costs the program no more, whether it accepts or not
SEND_LIMIT_S = 1
ANSWER_LIMIT_S = 20     # running time: begins anew when the freeze interrupts recv


def connect():
    """A Connection, or None where no daemon of this user, or of root, answers."""
    try:
        first = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    except OSError:
        return None
    try:
        first.settimeout(None)      # not the program's default: it is the kernel that limits
        limit(first, _socket.SO_SNDTIMEO, FIRST_WORD_S)     # holds for connect as well
        first.connect(socket_path())
        limit(first, _socket.SO_SNDTIMEO, SEND_LIMIT_S)
        limit(first, _socket.SO_RCVTIMEO, ANSWER_LIMIT_S)
        # /tmp/warm-UID can be made by anybody: only root and we ourselves may tell us what our arguments are.
        peer_uid = struct.unpack("iII", first.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12))[1]
        if peer_uid not in (0, os.geteuid()):
            return None
        try:
            high = fcntl.fcntl(first.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
        except OSError:
            high = os.dup(first.fileno())
        return Connection(_socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, high))
    except OSError:
        return None
    finally:
        first.close()


def limit(sock, option, seconds):
    sock.setsockopt(_socket.SOL_SOCKET, option, struct.pack("ll", int(seconds), int(seconds % 1 * 1e6)))


def socket_path():
    given = os.environ.get("WARM_SOCKET")
    if given:
        return given
    if os.geteuid() == 0:
        return "/run/warm/warmd.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR") or None
    return f"{runtime}/warm/warmd.sock" if runtime else f"/tmp/warm-{os.geteuid()}/warmd.sock"


class Connection:
    def __init__(self, sock):
        self.sock = sock

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()

    def is_wanted(self):
        """Whether the daemon says, before anything is collected, that it wants a snapshot of this process."""
        try:
            self.sock.settimeout(FIRST_WORD_S)
            self.sock.send(MAGIC + text(HELLO, b""))
            wanted = self.answer().outcome == PENDING
            self.sock.settimeout(None)
            return wanted
        except (OSError, ValueError):
            return False

    def declare(self, dependencies):
        """Sends [(path, suffixes)]. False: the daemon went away."""
        try:
            for datagram in depends_requests(dependencies):
                self.sock.send(datagram)
        except OSError:
            return False
        return True

    def ask(self, request):
        """Sends the request and blocks until the snapshot is taken. What comes back in a copy is another answer than
        the original's. A daemon that went away has said COLD."""
        try:
            self.sock.send(request)
            answer = self.answer()
            while answer.outcome == PENDING:
                answer = self.answer()
            return answer
        except (OSError, ValueError):
            return Answer(b"")

    def answer(self):
        try:
            return Answer(self.sock.recv(MESSAGE_MAX))
        except ConnectionResetError:
            # A daemon that was killed before it had read everything: said once, in front of what it has sent.
            return Answer(self.sock.recv(MESSAGE_MAX))


class Answer:
    """Reply{hook}; ValueError where it is none."""

    def __init__(self, datagram):
        self.outcome = COLD
        self.generation = 0
        self.argv = []
        self.env = []
        self.env_change = []
        self.fixed_args = 0     # this many of argv come before the program's own; 0: as many as we said
        if not datagram:
            return
        if datagram[:4] != MAGIC:
            raise ValueError("not a reply of warmd")
        for number, value in fields(datagram[4:]):
            if number == HOOK:
                self.read_hook(value)

    def read_hook(self, data):
        for number, value in fields(data):
            if number == OUTCOME:
                self.outcome = value
            elif number == GENERATION:
                self.generation = value
            elif number == LAUNCH_FIXED_ARGS:
                self.fixed_args = value
            elif number == ARGV:
                self.argv.append(value)
            elif number == ENV:
                self.env.append(value)
            elif number == ENV_CHANGE:
                self.env_change.append(value)
