# SPDX-License-Identifier: MIT
"""The trial restore by hand: a standby whose memory somebody has changed behind our back is found out, whichever byte it
was; one that nobody touched passes; and none of them has run an instruction of its own."""
import array
import ctypes
import fcntl
import glob
import os
import re
import socket
import struct
import subprocess

import harness
from case import WarmCase, write
from harness import BUILD, PYTHON

REPORT = struct.Struct("<IIiiq240s")
FAILED, TEMPLATE_READY, STANDBY_PARKED, SUP_PARKED, DONE = 1, 5, 6, 7, 11
MAKE = struct.Struct("<IIIIQ")
MAKE_MAGIC = 0x4d4d5257
PAGE = 4096
N_PAGES = 256
KINDS = "1,3,3"     # as harness.Daemon.exec launches: /dev/null and two pipes

PROGRAM = f"""import ctypes, fcntl, mmap, os, signal, struct, sys, threading, time
import warm
held = [open(sys.argv[1] + "." + name, "w") for name in ("flock", "posix", "ofd")]
fcntl.flock(held[0], fcntl.LOCK_EX)
fcntl.lockf(held[1], fcntl.LOCK_EX, 333, 1111)
fcntl.fcntl(held[2], fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 2222, 444, 0))
until = (ctypes.c_long * 2)(int(time.monotonic()) + 3600, 0)
waiter = threading.Thread(target=ctypes.CDLL(None).clock_nanosleep, args=(time.CLOCK_MONOTONIC, 1, until, None), daemon=True)
waiter.start()
while not open(f"/proc/self/task/{{waiter.native_id}}/syscall").read().startswith("230 "):
    time.sleep(0.001)
libc, timer, ten_seconds = ctypes.CDLL(None), ctypes.c_void_p(), (ctypes.c_long * 4)(0, 0, 10, 0)
libc.timer_create(time.CLOCK_MONOTONIC, None, ctypes.byref(timer))
libc.timer_settime(timer, 0, ten_seconds, None)
libc.timerfd_settime(libc.timerfd_create(time.CLOCK_MONOTONIC, 0), 0, ten_seconds, None)
signal.setitimer(signal.ITIMER_REAL, 10)
area = mmap.mmap(-1, {N_PAGES * PAGE}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range({N_PAGES}):
    area[page * {PAGE}:page * {PAGE} + 8] = b"%8d" % (page + 1)
address = ctypes.addressof(ctypes.c_char.from_buffer(area))
with open(sys.argv[1], "w") as file:
    file.write(str(address))
warm.ready()
with open(sys.argv[1] + ".ran", "a") as file:
    file.write("ran\\n")
"""


def receive(sock):
    data, aux, _, _ = sock.recvmsg(4096, 128)
    _, kind, op, err, value, text = REPORT.unpack(data) if len(data) == REPORT.size else (0, 0, 0, 0, 0, b"")
    pid = [struct.unpack("iII", payload[:12])[0] for level, kind_, payload in aux
           if level == socket.SOL_SOCKET and kind_ == socket.SCM_CREDENTIALS]
    return kind, err, text.split(b"\0")[0].decode(), pid[0] if pid else 0


class Template:
    """warm-restore, as warmd would have it."""

    def __init__(self, image):
        self.image = os.open(image, os.O_RDONLY)
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        init = os.open(os.path.join(BUILD, "warm-init"), os.O_RDONLY)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "warm-restore"), "--image", str(self.image), "--sock", str(theirs.fileno()), "--init",
             str(init), "--label", "by hand"], pass_fds=[self.image, theirs.fileno(), init])
        theirs.close()
        os.close(init)
        self.sock.settimeout(20)
        assert receive(self.sock)[0] == TEMPLATE_READY

    def standby(self):
        """(GO socket, supervisor's socket, pid) of one that is parked for a trial."""
        go, go_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sup, sup_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        go.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        fds = array.array("i", [go_theirs.fileno(), sup_theirs.fileno()])
        self.sock.sendmsg([MAKE.pack(MAKE_MAGIC, 1, 0, 0, 0)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        go_theirs.close()
        sup_theirs.close()
        go.settimeout(20)
        kind, err, text, pid = receive(go)
        assert kind == STANDBY_PARKED, (kind, err, text)
        return go, sup, pid

    def close(self):
        self.sock.close()
        self.process.wait(10)
        os.close(self.image)


def trial(template, change=None):
    """What warm-snap --trial says of a fresh standby, changed by change(pid) before."""
    go, sup, pid = template.standby()
    if change:
        change(pid)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    worker = subprocess.Popen(
        [os.path.join(BUILD, "warm-snap"), "--pid", str(pid), "--report", str(theirs.fileno()), "--image", str(template.image),
         "--trial", str(go.fileno()), "--stdio", KINDS, "--label", "by hand"],
        pass_fds=[theirs.fileno(), template.image, go.fileno()])
    theirs.close()
    ours.settimeout(30)
    said = receive(ours)
    worker.wait(10)
    for sock in (ours, go, sup):
        sock.close()
    assert harness.wait_for(lambda: not harness.alive(pid)), "the clone outlived its trial"
    return said


def flip(address):
    def change(pid):
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            byte = memory.read(1)[0]
            memory.seek(address)
            memory.write(bytes([byte ^ 1]))
    return change


def in_plan(pattern, at, new):
    """Exchanges bytes of the plan that the clone is about to run: at `at` of the only place with this pattern."""
    def change(pid):
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            start, end = [tuple(int(n, 16) for n in line.split()[0].split("-")) for line in maps if " rwxp " in line][0]
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            places = [m.start() for m in re.finditer(pattern, memory.read(end - start), re.DOTALL)]
            assert len(places) == 1, places
            memory.seek(start + places[0] + at)
            memory.write(new)
    return change


def dropped(kind, call_number=0, args=b""):
    """The only operation of this kind (proto/rop.h), with arguments that begin so, becomes a getpid()."""
    def change(pid):
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            arena = [int(line.split("-")[0], 16) for line in maps if " rwxp " in line][0]
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(arena)  # struct arena begins with where the operations are, and how many
            ops, n_ops = struct.unpack("<QI", memory.read(12))
            memory.seek(ops)
            list_ = memory.read(n_ops * 64)
            places = [i for i in range(n_ops) if struct.unpack_from("<BxH", list_, i * 64) == (kind, call_number)
                      and list_.startswith(args, i * 64 + 8)]
            assert len(places) == 1, places
            memory.seek(ops + places[0] * 64)
            memory.write(struct.pack("<BBHI", 1, 2, 39, 0))
    return change


def record(kind, start, length):
    """struct flock"""
    return re.escape(struct.pack("hhqq", kind, 0, start, length))


def call(number, second):
    """struct rop of a system call on a descriptor"""
    return re.escape(struct.pack("<BBHI", 1, 0, number, 0)) + b"........" + re.escape(struct.pack("<Q", second))


class Trial(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        home = os.path.join(cls.daemon.dir, "home")
        os.mkdir(home)
        cls.where = os.path.join(home, "address")
        script = write(os.path.join(home, "program.py"), PROGRAM)
        # The address is written before the hook by each cold start; the one of the image is the first's.
        first = cls.daemon.exec(PYTHON, script, cls.where)
        assert first.code == 0, first
        with open(cls.where, encoding="ascii") as file:
            cls.address = int(file.read())
        cls.row = row = cls.daemon.published(1)[0]
        cls.image = glob.glob(os.path.join(cls.daemon.root, "images", row["id"] + "*"))[0]
        cls.template = Template(cls.image)
        cls.addClassCleanup(cls.template.close)

    def ran(self):
        try:
            with open(self.where + ".ran", encoding="ascii") as file:
                return len(file.readlines())
        except OSError:
            return 0

    def test_an_untouched_clone_passes_and_has_not_run(self):
        before = self.ran()
        for _ in range(3):
            kind, err, text, _ = trial(self.template)
            self.assertEqual(kind, DONE, text)
        self.assertEqual(self.ran(), before)

    def test_a_byte_in_every_sixteenth_page_is_found(self):
        for page in range(0, N_PAGES, 16):
            at = self.address + page * PAGE + page % 8
            kind, _, text, _ = trial(self.template, flip(at))
            self.assertEqual(kind, FAILED, f"page {page}: not noticed")
            self.assertIn(f"{at:#x}", text)

    def test_a_byte_where_there_was_none_is_found(self):
        kind, _, text, _ = trial(self.template, flip(self.address + N_PAGES * PAGE - 1))
        self.assertEqual(kind, FAILED)
        self.assertIn("was 0", text)

    def test_a_token_that_the_clone_would_not_take_is_found(self):
        """By it a launch runs once."""
        kind, _, text, _ = trial(self.template, dropped(8))
        self.assertEqual((kind, text), (FAILED, "the clone has not taken the token of its launch"))

    def test_a_deadline_that_stays_where_it_was_is_found(self):
        plan = self.daemon.warm("plan", self.row["id"]).out
        self.assertRegex(plan, r"(?m)^ *\d+  deadline  keep the distance of the deadline at 0x[0-9a-f]+$")
        kind, _, text, _ = trial(self.template, dropped(16))
        self.assertEqual(kind, FAILED)
        self.assertRegex(text, "^the deadline at 0x[0-9a-f]+ has moved by 0 us, not [0-9]+ to [0-9]+$")

    def test_a_timer_that_is_not_armed_is_found(self):
        for call_number, words in ((38, "interval timer 0"), (223, "timer 0"), (286, "fd [0-9]+: the timer")):
            with self.subTest(words):
                kind, _, text, _ = trial(self.template, dropped(1, call_number))
                self.assertEqual(kind, FAILED)
                self.assertRegex(text, f"^{words} does not run, had [0-9]+ ms to go$")

    def test_what_a_clone_has_not_of_its_own_is_found(self):
        """Operations that a standby has behind it when it parks."""
        for call_number, args, words in (
                (109, b"", "the clone has no process group of its own"),
                (112, b"", "the clone has no session of its own"),
                (250, struct.pack("<Q", 1), "the clone has no session keyring of its own"),
                (157, struct.pack("<QQ", 77, 0), "timers of the clone would have to choose their ids")):
            with self.subTest(words):
                # As at a login: what is nobody's in particular, a clone leaves as soon as it links a key there.
                if call_number == 250 and ctypes.CDLL(None, use_errno=True).syscall(250, 1, None) < 0:
                    self.skipTest(f"a session keyring: {os.strerror(ctypes.get_errno())}")
                template = Template(self.image)
                try:
                    dropped(1, call_number, args)(template.process.pid)
                    kind, _, text, _ = trial(template)
                finally:
                    template.close()
                self.assertEqual((kind, text), (FAILED, words))

    def test_a_lock_that_the_clone_would_not_take_is_found(self):
        """Of none of them the trial tries to take: the original may hold it."""
        flock, fcntl_ = 73, 72
        getpid = struct.pack("<H", 39)
        exclusive, shared = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_SH | fcntl.LOCK_NB
        read_lock = struct.pack("h", fcntl.F_RDLCK)
        for what, pattern, at, new in (
                ("number", call(flock, exclusive), 2, getpid),
                ("exclusive", call(flock, exclusive), 16, struct.pack("<Q", shared)),
                ("number", call(flock, exclusive), 8, struct.pack("<Q", 2)),
                ("number", call(fcntl_, fcntl.F_SETLK), 2, getpid),
                ("kind", call(fcntl_, fcntl.F_SETLK), 16, struct.pack("<Q", fcntl.F_OFD_SETLK)),
                ("number", call(fcntl_, fcntl.F_OFD_SETLK), 2, getpid),
                ("exclusive", record(fcntl.F_WRLCK, 1111, 333), 0, read_lock),
                ("start", record(fcntl.F_WRLCK, 1111, 333), 8, struct.pack("q", 1110)),
                ("length", record(fcntl.F_WRLCK, 2222, 444), 16, struct.pack("q", 0))):
            with self.subTest(what=what, at=at, new=new):
                kind, _, text, _ = trial(self.template, in_plan(pattern, at, new))
                self.assertEqual(kind, FAILED)
                self.assertRegex(text, f"^fd [0-9]+: .*file lock.*{what}|^fd [0-9]+: .*{what}.* file lock")
