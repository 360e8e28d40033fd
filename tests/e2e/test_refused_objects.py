# SPDX-License-Identifier: MIT
"""What a program may have that no snapshot can, and no victim of its own (tests/victims/no_*.c): each is set up by a few
lines of Python, looked at by warm-snap with the oracle looking on (tests/untouched.py), and still there afterwards."""
import glob
import os
import re
import subprocess
import tempfile
import unittest

import harness
import untouched
from refusals import refusal

BEGIN = """
import ctypes, errno, fcntl, mmap, os, signal, socket, stat, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
parent = int(sys.argv[1])

def call(number, *args):
    got = libc.syscall(number, *[arg if isinstance(arg, (bytes, ctypes.Array, ctypes.Structure)) else ctypes.c_long(arg) for arg in args])
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got

def map(length, protection, flags, fd=-1):
    got = libc.mmap(None, ctypes.c_long(length), protection, flags, fd, ctypes.c_long(0))
    if got == 2**64 - 1:
        raise OSError(ctypes.get_errno(), "mmap: " + os.strerror(ctypes.get_errno()))
    return got

def register(area, length, mode):
    fd = call(323, os.O_CLOEXEC | os.O_NONBLOCK)                        # userfaultfd
    fcntl.ioctl(fd, 0xc018aa3f, struct.pack("QQQ", 0xaa, 1 << 10 if mode == 4 else 0, 0))
    fcntl.ioctl(fd, 0xc020aa00, struct.pack("QQQQ", area, length, mode, 0))

def say(text):
    os.write(1, text.encode() + b"\\n")
try:
"""
END = """
except OSError as error:
    say(f"skip: {error}")
    os._exit(0)
say("up")
os.read(0, 1)
"""

MEMORY = [
    (refusal("memory at %#lx: memory under userfaultfd (flag um) is not supported"),
     "area = map(8192, 3, 0x22); register(area, 8192, 1)", ""),
    (refusal("memory at %#lx: memory write-protected by userfaultfd (flag uw) is not supported"),
     "area = map(8192, 3, 0x22); register(area, 8192, 2)", "ctypes.memset(area, 1, 8192)"),
    (refusal("memory at %#lx: memory under userfaultfd for minor faults (flag ui) is not supported"),
     "area = map(8192, 3, 0x21); register(area, 8192, 4)", ""),
    (refusal("memory at %#lx: sealed memory (flag sl) is not supported"),
     "area = map(8192, 3, 0x22); call(462, area, 8192, 0)", "assert libc.munmap(ctypes.c_void_p(area), 8192) == -1"),
    (refusal("memory at %#lx maps the device %s"),
     "path = f'/dev/warm-test.{os.getpid()}'; fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600); os.truncate(fd, 4096); "
     "area = mmap.mmap(fd, 4096)", "os.unlink(path); assert area[0] == 0"),
    (refusal("memory at %#lx: shared memory that was made longer than it was"),
     "area = map(4096, 3, 0x21); area = call(25, area, 4096, 8192, 1)", "assert ctypes.string_at(area, 4096) == bytes(4096)"),
]

FILES = [
    (refusal("fd %d: device /dev/kmsg"),
     "fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)", "os.fstat(fd)"),
    (refusal("fd %d: memory file %s"),
     "fd = os.memfd_create('one'); os.write(fd, b'x' * 100)", "assert os.pread(fd, 200, 0) == b'x' * 100"),
    (refusal("fd %d: signal-driven I/O (O_ASYNC) on what the launch brings"),
     "fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)", "assert fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ASYNC"),
    (refusal("fd %d: another process is told of its events (F_SETOWN)"),
     "fd, other = os.pipe(); fcntl.fcntl(fd, fcntl.F_SETOWN, parent)", "assert fcntl.fcntl(fd, fcntl.F_GETOWN) == parent"),
    (refusal("fd %d: a file lock on %s, which is no file of the program's own"),
     "fd, other = os.pipe(); fcntl.flock(fd, fcntl.LOCK_EX)", "fcntl.flock(fd, fcntl.LOCK_UN)"),
    (refusal("fd %d: deleted file %s, of another owner"),
     "fd = os.open('gone', os.O_CREAT | os.O_RDWR, 0o600); os.fchown(fd, 1, 1); os.unlink('gone')", "os.write(fd, b'x')"),
    (refusal("fd %d: deleted file %s, opened with O_PATH"),
     "os.close(os.open('gone', os.O_CREAT | os.O_RDWR, 0o600)); fd = os.open('gone', os.O_PATH); os.unlink('gone')", "os.fstat(fd)"),
    (refusal("fd %d: a pipe opened by O_PATH"),
     "ends = os.pipe(); fd = os.open(f'/proc/self/fd/{ends[0]}', os.O_PATH)", "os.fstat(fd)"),
]

SOCKETS = [
    (refusal("fd %d: %s is one of more than %d addresses and locks that a clone has to take"),
     "all = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(80)]\n"
     "    for one in all: one.bind(('127.0.0.1', 0))", "all[0].sendto(b'x', all[1].getsockname()); assert all[1].recv(9) == b'x'"),
    (refusal("fd %d: stream socket of protocol 132"),
     "one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)", "one.fileno()"),
    (refusal("fd %d: connection of multipath TCP"),
     "listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); listener.bind(('127.0.0.1', 0)); listener.listen()\n"
     "    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); one.connect(listener.getsockname())\n"
     "    other, _ = listener.accept(); listener.close(); one.send(b'x'); other.recv(9)",
     "one.send(b'y'); assert other.recv(9) == b'y'"),
    (refusal("fd %d: an empty datagram waits in the socket"),
     "one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); one.send(b'')", "assert other.recv(9, socket.MSG_DONTWAIT) == b''"),
    (refusal("fd %d: a waiting datagram longer than 1 MiB"),
     "one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); one.setsockopt(socket.SOL_SOCKET, 32, 4 << 20)\n"
     "    one.send(b'x' * ((1 << 20) + 1))", "assert len(other.recv(4 << 20)) == (1 << 20) + 1"),
    (refusal("fd %d: a connected unix socket with a name"),
     "listener = socket.socket(socket.AF_UNIX); listener.bind('name'); listener.listen(); one = socket.socket(socket.AF_UNIX)\n"
     "    one.connect('name'); other, _ = listener.accept(); listener.close()", "one.send(b'y'); assert other.recv(9) == b'y'"),
    (refusal("fd %d: datagrams wait in a unix socket with a name"),
     "other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); other.bind('name')\n"
     "    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); one.sendto(b'y', 'name')", "assert other.recv(9) == b'y'"),
    (refusal("fd %d: cryptography socket (address family %d)"),
     "one = socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)", "one.fileno()"),
    (refusal("fd %d: unusual socket (address family %d)"),
     "one = socket.socket(44, socket.SOCK_RAW)", "one.fileno()"),
]

PROCESS = [
    (refusal("process %d: its main thread has a keyring"),
     "call(248, b'user', b'warm', b'x', 1, -1)", "call(250, 0, -1, 0)"),
    (refusal("process %d lives in %s and may not chroot there again"),
     "os.chroot('/usr'); os.chdir('/'); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)",
     "assert os.path.isdir('/bin') and os.getuid() == 65534"),
    (refusal("thread %d has a deadline scheduling policy"),
     "call(314, 0, struct.pack('IIQiIQQQ', 48, 6, 0, 0, 0, 5000000, 50000000, 100000000), 0)", "assert os.sched_getscheduler(0) == 6"),
    (refusal("thread %d is scheduled by a BPF program"),
     "call(144, 0, 7, struct.pack('i', 0))", "assert os.sched_getscheduler(0) == 7"),
    (refusal("process %d has no vdso"),
     "for line in open('/proc/self/maps').read().splitlines():\n"
     "        if line.endswith(('[vdso]', '[vvar]', '[vvar_vclock]')):\n"
     "            start, end = [int(n, 16) for n in line.split()[0].split('-')]; libc.munmap(ctypes.c_void_p(start), end - start)", ""),
    (refusal("process %d: no system call instruction in its vdso"),
     "line = [line for line in open('/proc/self/maps').read().splitlines() if line.endswith('[vdso]')][0]\n"
     "    start, end = [int(n, 16) for n in line.split()[0].split('-')]; code = ctypes.string_at(start, end - start)\n"
     "    assert libc.mprotect(ctypes.c_void_p(start), end - start, 7) == 0\n"
     "    ctypes.memmove(start, code.replace(b'\\x0f\\x05', b'\\x90\\x90'), end - start)", ""),
]


class Refused(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="warm-refused.")
        self.addCleanup(place.cleanup)
        self.place = place.name

    def program(self, setup, check="", **keywords):
        """It has done its setup; None where it cannot, and why."""
        def tidy():
            for path in glob.glob(f"/dev/warm-test.{program.pid}"):
                os.unlink(path)
        program = subprocess.Popen([harness.PYTHON, "-c", f"{BEGIN}    {setup}{END}{check}\nsay('on')", str(os.getpid())], cwd=self.place,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, **keywords)
        for cleanup in (program.stdin.close, program.stdout.close, tidy, program.wait, program.kill):
            self.addCleanup(cleanup)
        self.said = program.stdout.readline().decode()
        if self.said == "up\n":
            untouched.settle(program.pid)
        return program

    def goes_on(self, program):
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")

    def one(self, words, setup, check):
        program = self.program(setup, check)
        if self.said.startswith("skip"):
            self.skipTest(self.said.strip())
        self.assertEqual(self.said, "up\n")
        untouched.refused(program.pid, words)
        self.goes_on(program)


def add(kind, objects):
    for words, setup, check in objects:
        name = f"test_{kind}_" + re.sub(r"\W+", "_", words.pattern.replace("+", "")).strip("_")[:70]
        assert not hasattr(Refused, name), name
        setattr(Refused, name, lambda self, one=(words, setup, check): self.one(*one))


add("memory", MEMORY)
add("file", FILES)
add("socket", SOCKETS)
add("process", PROCESS)
