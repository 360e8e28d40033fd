# SPDX-License-Identifier: MIT
"""The hook's connection to warmd: one SEQPACKET socket, and the messages of proto/rpc.proto, written by hand."""

import _socket
import fcntl
import os
import struct

COLD, RESUMED, RESTORED, PENDING = 0, 1, 2, 3   # Hook.outcome

MAGIC = b"WRMP"
MESSAGE_MAX = 131072
HIGH_FD = 100           # out of the way of the descriptors that a launch brings
FIRST_WORD_S = 0.1      # a daemon that hangs costs the program no more, whether it accepts or not
SEND_LIMIT_S = 1
ANSWER_LIMIT_S = 20     # running time: begins anew when the freeze interrupts recv

# Request
READY, DEPENDS, HELLO = 1, 2, 12
# Ready
HOOK_FD, ARGV_FROM_LAUNCH, FIXED_ARGS, CWD_FROM_LAUNCH, ENV_FROM_LAUNCH, SDK = 1, 2, 3, 4, 5, 6
# Depends, Dependency
ITEM = 1
PATH, SUFFIX = 1, 2
# Reply, Hook
HOOK = 3
OUTCOME, ARGV, ENV, GENERATION, LAUNCH_FIXED_ARGS = 1, 3, 4, 6, 7


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


def ready_request(hook_fd, argv, fixed_args, cwd, env):
    body = (number(HOOK_FD, hook_fd) + number(ARGV_FROM_LAUNCH, bool(argv)) + number(FIXED_ARGS, fixed_args)
            + number(CWD_FROM_LAUNCH, bool(cwd)) + b"".join(text(ENV_FROM_LAUNCH, name) for name in env)
            + text(SDK, "python 1"))
    return MAGIC + text(READY, body)


def depends_requests(dependencies):
    """As few datagrams as hold them all."""
    body = bytearray()
    encoded = {}        # there are two or three different lists of suffixes
    for path, suffixes in dependencies:
        if suffixes not in encoded:
            encoded[suffixes] = b"".join(text(SUFFIX, suffix) for suffix in suffixes)
        item = text(ITEM, text(PATH, path) + encoded[suffixes])
        if body and len(body) + len(item) > MESSAGE_MAX - 16:
            yield MAGIC + text(DEPENDS, bytes(body))
            body.clear()
        body += item
    if body:
        yield MAGIC + text(DEPENDS, bytes(body))


# ---- protobuf: each field is a varint (number << 3 | type), then its value ------------------------------------------

def number(field, value):
    return varint(field << 3) + varint(int(value)) if value else b""


def text(field, value):
    if not isinstance(value, bytes):
        value = os.fsencode(value)
    return varint(field << 3 | 2) + varint(len(value)) + value


def varint(value):
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data):
    """Yields (number, int or bytes)."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind in (1, 2, 5):
            size, at = read_varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value = data[at:at + size]
            at += size
            if at > len(data):
                raise ValueError("reply is cut off")
        else:
            raise ValueError("reply has a field of an unknown type")
        yield key >> 3, value


def read_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("reply is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7
