# SPDX-License-Identifier: MIT
"""The network of a clone: addresses taken at GO or handed over, ports that nobody shares."""
import fcntl
import os
import pathlib
import random
import socket
import subprocess
import unittest

import harness
from case import WarmCase, write
from refusals import refusal

HIGH = 200  # numbers in between, of nobody
SERVER = os.path.join(harness.BUILD, "tests", "server")


def own_address():
    """On loopback, and nobody else's: two runs of the tests never meet."""
    return "127.%d.%d.%d" % (random.randrange(1, 255), random.randrange(256), random.randrange(1, 255)), \
        random.randrange(2000, 30000)


def ask(address, line=b"hello\n", kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(10)
        client.connect(address)
        client.sendall(line)
        return client.recv(200).decode()


class NetCase(WarmCase):
    publish_app = False
    launches = 0

    def setUp(self):
        super().setUp()
        self.address = own_address()
        self.words = ("tcp", self.address[0], str(self.address[1]))
        self.running = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.running:
            harness.kill_quietly(process.pid)
            process.communicate()
        self.daemon.warm("rm", *[row["id"] for row in self.daemon.ls()])

    def start(self, *words, sockets=(), options=(), env=None, outcome=None):
        """A launch of the server, until it serves. sockets: handed over by LISTEN_FDS."""
        high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, HIGH) for s in sockets]
        argv = [harness.WARM, "exec", "--explain", *options, "--", SERVER, *(words or self.words)]
        if high:
            moves = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(high))
            argv = ["bash", "-c", f'exec {moves}; LISTEN_FDS={len(high)} LISTEN_PID=$$ exec "$@"', "bash", *argv]
        process = subprocess.Popen(argv, env=dict(self.daemon.env, **(env or {})), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=high)
        for fd in high:
            os.close(fd)
        self.running.append(process)
        process.explained = harness.explanation(process.stderr.readline().decode())
        process.lines = []
        while not process.lines or process.lines[-1].split()[0] == "handed":
            line = process.stdout.readline().decode()
            if not line:
                process.lines.append("ended")
                break
            process.lines.append(line.strip())
        if outcome:
            self.assertEqual(process.lines[-1], f"serving {outcome}", (process.explained, self.daemon.log()[-1500:]))
        return process

    def stop(self, process, address=None, kind=socket.SOCK_STREAM):
        """Has it answer and end; returns the answer."""
        reply = ask(address or self.address, b"quit\n", kind)
        self.assertEqual(process.wait(10), 0)
        process.communicate()
        self.running.remove(process)
        return reply

    def publish(self, *words, **keywords):
        """The first run, and its end: the snapshot is there, the address is free."""
        first = self.start(*words, **keywords)
        self.assertEqual(first.lines[-1], "serving resumed", (first.explained, self.daemon.log()[-1500:]))
        self.daemon.published(1, command=SERVER)
        return first

    def listener(self, address=None, kind=socket.SOCK_STREAM):
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
        s.bind(address or self.address)
        if kind == socket.SOCK_STREAM:
            s.listen(9)
        self.addCleanup(s.close)
        return s


class HandedOver(NetCase):
    def test_takes_the_place_of_the_socket_with_its_address(self):
        self.assertIn("fd 4 cloexec 1 nonblock 1", self.stop(self.publish()))
        ours = self.listener()
        clone = self.start(sockets=[ours], options=["--require"], outcome="restored")
        self.assertIn("restored fd 4 cloexec 1 nonblock 1", ask(self.address))
        self.assertTrue(os.get_blocking(ours.fileno()) is False, "the description is shared, as after a cold start")
        self.stop(clone)
        ours.getsockname()  # and is still the launcher's
        self.daemon.full_pool()
        self.assertIn("resto", self.stop(self.start(sockets=[ours], options=["--require"], outcome="restored")))
        ours.close()
        self.daemon.full_pool()  # without a hand-over the clone binds by itself
        self.stop(self.start(options=["--require"], outcome="restored"))

    def test_several_and_of_each_kind(self):
        other = own_address()
        words = (*self.words, "udp", other[0], str(other[1]))
        self.stop(self.publish(*words))
        tcp, udp = self.listener(), self.listener(other, socket.SOCK_DGRAM)
        clone = self.start(*words, sockets=[udp, tcp], options=["--require"], outcome="restored")
        self.assertIn("restored fd 5 ", ask(other, kind=socket.SOCK_DGRAM))
        self.assertIn("restored fd 4 ", self.stop(clone))
        tcp.close()
        self.daemon.full_pool()  # one of two: the clone takes the other itself
        clone = self.start(*words, sockets=[udp], options=["--require"], outcome="restored")
        self.assertIn("restored", ask(other, kind=socket.SOCK_DGRAM))
        self.assertIn("restored", self.stop(clone))

    def test_on_another_address_the_start_is_cold(self):
        """The program would listen there; its snapshot listens elsewhere."""
        self.stop(self.publish())
        elsewhere = own_address()
        cold = self.start(sockets=[self.listener(elsewhere)], outcome="cold")
        self.assertIn(elsewhere[0], cold.explained["reason"])
        self.assertIn("LISTEN_FDS", cold.explained["reason"])
        self.stop(cold, elsewhere)

    def test_variables_of_somebody_else_at_the_first_start(self):
        """They say nothing of what the snapshot's program was handed: a later hand-over is looked at."""
        self.stop(self.publish(env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}))
        elsewhere = own_address()
        cold = self.start(sockets=[self.listener(elsewhere)], outcome="cold")
        self.assertIn("LISTEN_FDS", cold.explained["reason"])
        self.stop(cold, elsewhere)

    def test_not_meant_for_this_process(self):
        self.stop(self.publish())
        ours = self.listener()
        fd = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD, HIGH)
        taken = self.daemon.exec(SERVER, *self.words, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}, pass_fds=[fd])
        os.close(fd)
        self.assertCold(taken, f"bind {self.address[0]}:{self.address[1]}", "address already in use")
        self.assertIn("Address already in use", taken.err)

    def test_first_start_that_was_handed_one(self):
        """What it was handed is each launch's own: under its number, or where the program has put it."""
        for how in ((), ("dup",), ("move",)):
            with self.subTest(how=how):
                words = (*how, *self.words)
                number = 10 if how else 3
                first = own_address()
                reply = self.stop(self.publish(*words, sockets=[self.listener(first)]), first)
                self.assertIn(f"resumed fd {number} cloexec 1 nonblock 1", reply)
                for _ in range(2):
                    there = own_address()
                    clone = self.start(*words, sockets=[self.listener(there)], options=["--require"], outcome="restored")
                    self.assertEqual(self.stop(clone, there),
                                     f"restored fd {number} cloexec 1 nonblock 1 address {there[0]}:{there[1]}\n")
                    self.daemon.full_pool()
                alone = self.start(*words, outcome="cold")  # as a cold run without: it binds by itself
                self.assertIn("descriptor 3", alone.explained["reason"])
                self.stop(alone)
                other = self.start(*words, sockets=[self.listener(own_address(), socket.SOCK_DGRAM)], outcome="cold")
                self.assertIn("of another kind", other.explained["reason"])
                for row in self.daemon.ls():
                    self.daemon.warm("rm", row["id"])

    def test_unix_socket_is_not_bound_again(self):
        """Its file stays the launcher's: nothing is removed, nothing is made."""
        path = os.path.join(self.daemon.dir, "handed.sock")
        argv = (harness.PYTHON, write(os.path.join(self.daemon.dir, "unix.py"), UNIX), path)

        def talk(launch):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.sendall(b"abc")
                self.assertEqual(client.recv(10), b"cba")
            self.assertEqual(launch.wait(10), 0)
            return launch.stdout.read().split()[0]

        first = self.daemon.popen(*argv)
        self.running.append(first)
        self.daemon.published(1, command=argv[1])
        self.assertEqual(talk(first), b"resumed")
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as ours:
            ours.bind(path)
            ours.listen()
            before = os.stat(path)
            fd = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD, HIGH)
            launch = subprocess.Popen(["bash", "-c", f'exec 3<&{fd} {fd}<&-; LISTEN_FDS=1 exec "$@"', "bash", harness.WARM, "exec",
                                       "--require", *argv], env=self.daemon.env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[fd])
            os.close(fd)
            self.running.append(launch)
            self.assertEqual(talk(launch), b"restored")
            self.assertEqual(os.stat(path), before)

    def test_variables_are_the_clones_behind_the_hook(self):
        words = ("late", *self.words)
        ours = self.listener()
        first = self.publish(*words, sockets=[ours])
        self.assertEqual(first.lines[0], "handed 1")
        self.stop(first)
        clone = self.start(*words, sockets=[ours], options=["--require"], outcome="restored")
        self.assertEqual(clone.lines[0], "handed 1")
        self.stop(clone)


class Taken(NetCase):
    def test_taken_address_is_no_fault_of_the_snapshot(self):
        original = self.publish()
        for _ in range(4):  # three failures would quarantine it
            second = self.start()
            self.assertEqual(second.lines, ["ended"])
            self.assertEqual(second.explained["tier"], "cold_start")
            self.assertIn(f"bind {self.address[0]}:{self.address[1]}: Address already in use (end who has it",
                          second.explained["reason"])
            self.assertIn(b"Address already in use", second.stderr.read())
            self.daemon.full_pool()
        self.assertIn("resumed", self.stop(original))
        self.assertIn("restored", self.stop(self.start(options=["--require"], outcome="restored")))

    def test_nobody_shares_a_port_silently(self):
        """Whatever the options of the socket: a clone has the port for itself, or the start is cold and shares it knowingly."""
        for words, kind in ((("reuseport", *self.words), socket.SOCK_STREAM),
                            (("reuseport", "udp", *self.words[1:]), socket.SOCK_DGRAM),
                            (("reuseaddr", "udp", *self.words[1:]), socket.SOCK_DGRAM)):
            with self.subTest(words=words[:2]):
                original = self.publish(*words)
                beside = self.start(*words, outcome="cold")
                self.assertIn("Address already in use", beside.explained["reason"])
                harness.kill_quietly(beside.pid)
                beside.wait()
                self.stop(original, kind=kind)
                self.daemon.full_pool()
                clone = self.start(*words, options=["--require"], outcome="restored")
                self.daemon.full_pool()
                beside = self.start(*words, outcome="cold")
                self.assertIn("Address already in use", beside.explained["reason"])
                harness.kill_quietly(beside.pid)
                beside.wait()
                self.stop(clone, kind=kind)
                for row in self.daemon.ls():
                    self.daemon.warm("rm", row["id"])

    def test_sockets_of_one_program_share_their_port_again(self):
        words = ("reuseport", *self.words, *self.words)
        self.stop(self.publish(*words))
        self.daemon.full_pool()
        clone = self.start(*words, options=["--require"], outcome="restored")
        seen = {ask(self.address).split()[2] for _ in range(60)}
        self.assertEqual(seen, {"4", "5"})
        self.stop(clone)

    def test_of_three_clones_at_once_one_has_the_port(self):
        """The others are cold starts, which fail as they would have without Warm."""
        self.stop(self.publish())
        self.daemon.warm("pool", self.daemon.ls()[0]["id"], "3")
        self.assertTrue(self.daemon.wait_standbys(3))
        launches = [self.daemon.popen(SERVER, *self.words, options=["--explain"]) for _ in range(3)]
        self.running += launches
        lost = []
        self.assertTrue(harness.wait_for(lambda: sum(p.poll() is not None for p in launches) == 2, 10))
        for process in launches:
            if process.poll() is not None:
                lost.append(harness.finish(process))
        for result in lost:
            self.assertCold(result, f"bind {self.address[0]}:{self.address[1]}", "address already in use")
            self.assertEqual((result.code, result.out), (4, ""))
            self.assertIn("Address already in use", result.err)
        winner = [p for p in launches if p.poll() is None][0]
        self.assertIn("restored", self.stop(winner))

    def test_standbys_hold_no_port(self):
        self.stop(self.publish())
        self.assertTrue(self.daemon.full_pool())
        self.listener().close()


SOCKETS = """import os, socket
import warm
one, other = socket.socketpair()
named = socket.socket(socket.AF_UNIX)
named.bind("\\0warm-test-private")
named.listen()
tcp = socket.create_server(("127.0.0.1", 0))
one.send(b"waits")
said = warm.ready()
assert other.recv(10) == b"waits"
with socket.socket(socket.AF_UNIX) as client:
    client.connect("\\0warm-test-private")
with socket.create_connection(tcp.getsockname()) as client:
    client.send(b"itself")
    assert tcp.accept()[0].recv(10) == b"itself"
print(said, flush=True)
"""
PLAIN = """import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
connection, _ = server.accept()
connection.sendall(b"came to " + connection.recv(100))
"""
BOTH = """import select, socket, sys
servers = [socket.create_server((address, int(sys.argv[1])), family=family)
           for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))]
for _ in range(2):
    server = select.select(servers, [], [])[0][0]
    connection, _ = server.accept()
    connection.sendall(b"came to " + connection.recv(100))
with open("/proc/net/dev") as table:
    print("up", *[line.split(":")[0].strip() for line in table.readlines()[2:] if not line.strip().startswith(("sit", "tun", "gre", "erspan", "ip"))])
"""
UNIX = """import socket, sys
import warm
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print(warm.ready(), server.fileno(), flush=True)
connection, _ = server.accept()
connection.sendall(connection.recv(10)[::-1])
"""
OUTSIDE = """import socket
import warm
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("192.0.2.1", 9))
servers = [socket.create_server((udp.getsockname()[0], 0))]
with open("/proc/net/if_inet6") as table:
    for address, _, _, scope, _, device in map(str.split, table):
        if scope == "00" and device != "lo":
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))
            servers.append(socket.create_server((address, 0), family=socket.AF_INET6))
def names():
    return udp.getpeername(), udp.getsockname(), [server.getsockname() for server in servers]
before = names()
said = warm.ready()
assert names() == before, before
print(said, flush=True)
"""
INTERFACE = """import fcntl, os, socket, struct
import warm
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"warm0", 0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
fcntl.ioctl(tun, 0x400454cb, 1)                                         # TUNSETPERSIST
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"warm0", 1))         # SIOCSIFFLAGS: IFF_UP
os.close(tun)
print(warm.ready(), flush=True)
"""
ADDRESS = """import fcntl, socket, struct
import warm
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    name = socket.inet_aton("10.1.2.3")
    fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, name))  # SIOCSIFADDR
print(warm.ready(), flush=True)
"""


def behind(launch):
    """The clone's pid once it has its streams."""
    try:
        return harness.program_behind(launch)
    except AssertionError:
        return None


CLIENT = """import socket, sys
import warm
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.sendall(b"hello")
assert connection.recv(5) == b"there"
said = warm.ready()
if said == "restored":
    try:
        connection.recv(10)
    except ConnectionResetError:
        assert connection.recv(10) == b""
        print("reset", flush=True)
else:
    print(said, flush=True)
    while data := connection.recv(10):
        connection.sendall(data[::-1])
"""


def network(pid):
    return os.stat(f"/proc/{pid}/ns/net").st_ino


@unittest.skipUnless(os.geteuid() == 0, "network namespaces take root")
class Private(NetCase):
    PRIVATE = ("--net", "private")

    def ask_inside(self, pid, line="hello"):
        """From within the program's network namespace."""
        text = f'exec 3<>/dev/tcp/{self.address[0]}/{self.address[1]} && echo {line} >&3 && read -r -u 3 reply && echo "$reply"'
        done = subprocess.run(["nsenter", "-t", str(pid), "-n", "bash", "-c", text], capture_output=True, timeout=20, check=False)
        return done.stdout.decode()

    def test_each_clone_serves_on_a_loopback_of_its_own(self):
        original = self.publish(options=self.PRIVATE)
        self.daemon.warm("pool", self.daemon.ls()[0]["id"], "3")
        self.assertTrue(self.daemon.wait_standbys(3))
        clones = [self.start(options=("--require", *self.PRIVATE), outcome="restored") for _ in range(3)]
        pids = [harness.program_behind(clone) for clone in clones]
        self.assertEqual(len({network(pid) for pid in (os.getpid(), original.pid, *pids)}), 5)
        for pid in pids:
            self.assertIn(f"restored fd 4 cloexec 1 nonblock 1 address {self.address[0]}", self.ask_inside(pid))
        self.assertIn("resumed", self.ask_inside(original.pid))
        with self.assertRaises(ConnectionRefusedError):
            ask(self.address)
        for pid, process in zip((original.pid, *pids), (original, *clones)):
            self.ask_inside(pid, "quit")
            self.assertEqual(process.wait(10), 0)

    def test_launch_on_the_hosts_network_is_another_one(self):
        original = self.publish(options=self.PRIVATE)
        host = self.start()
        self.assertEqual(host.explained["tier"], "cold_start")
        self.assertEqual(host.explained["reason"], "--net is host, was private")
        self.stop(host)
        self.ask_inside(original.pid, "quit")

    def test_sockets_of_each_kind_come_back(self):
        script = write(os.path.join(self.daemon.dir, "sockets.py"), SOCKETS)
        private = {"options": ("--explain", *self.PRIVATE)}
        self.assertEqual(self.daemon.exec(harness.PYTHON, script, **private).out, "resumed\n")
        self.daemon.published(1, command=script)
        both = [self.daemon.popen(harness.PYTHON, script, options=("--explain", "--require", *self.PRIVATE)) for _ in range(2)]
        for result in [harness.finish(process) for process in both]:
            self.assertEqual(self.assertClone(result).out, "restored\n")

    def test_program_that_knows_nothing_of_us(self):
        """--ready listen: looks for the port where the program has it."""
        script = write(os.path.join(self.daemon.dir, "plain.py"), PLAIN)
        argv = (harness.PYTHON, script, *self.words[1:])
        options = ("--ready", f"listen:{self.address[1]}", *self.PRIVATE)
        first = self.daemon.popen(*argv, options=options)
        self.running.append(first)
        self.daemon.published(1, command=script)
        clone = self.daemon.popen(*argv, options=("--require", *options))
        self.running.append(clone)
        pid = harness.wait_for(lambda: behind(clone))
        self.assertEqual(self.ask_inside(pid, "the clone"), "came to the clone\n")
        self.assertEqual(self.ask_inside(first.pid, "the first"), "came to the first\n")
        self.assertEqual((first.wait(10), clone.wait(10)), (0, 0))

    def test_copies_at_once_of_a_program_that_knows_nothing_of_us(self):
        """Each serves on its own loopback, of either family; on the host the port is free. Who knows the pid that the
        shell knows finds the program's network by it, as after a cold start."""
        script = write(os.path.join(self.daemon.dir, "both.py"), BOTH)
        port = self.address[1]
        argv = (harness.PYTHON, script, str(port))
        options = ("--explain", "--ready", f"listen:{port}", *self.PRIVATE)
        first = self.daemon.popen(*argv, options=options)
        self.running.append(first)
        ident = self.daemon.published(1, command=script)[0]["id"]
        self.daemon.warm("pool", ident, "2")
        self.assertTrue(self.daemon.wait_standbys(2))
        copies = [self.daemon.popen(*argv, options=("--require", *options)) for _ in range(2)]
        self.running += copies
        pids = [harness.wait_for(lambda copy=copy: behind(copy)) for copy in copies]
        self.assertEqual(len({network(pid) for pid in (os.getpid(), first.pid, *pids)}), 4)
        for copy, pid in zip(copies, pids):
            self.assertTrue(harness.wait_for(lambda copy=copy, pid=pid: network(copy.pid) == network(pid)))
        for address in ("127.0.0.1", "::1"):
            for number, launch in enumerate((first, *copies)):
                self.address = (address, port)
                self.assertEqual(self.ask_inside(launch.pid, f"number {number}"), f"came to number {number}\n")
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as ours:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                ours.bind((address, port))
        for launch in (first, *copies):
            self.assertEqual(launch.wait(10), 0)
            self.assertEqual(launch.stdout.read(), b"up lo\n")

    def test_first_run_that_warm_exec_stands_behind(self):
        """Its network is its own as well, and so are those of its copies."""
        words = ("perl", "-e", 'sub net { print readlink("/proc/self/ns/net"), "\\n" } $| = 1; net; print "ready\\n"; <>; net')
        options = ("--explain", "--ready", "stdout:ready", *self.PRIVATE)
        first = self.daemon.popen(*words, options=options, stdin=subprocess.PIPE)
        self.running.append(first)
        ours = os.readlink("/proc/self/ns/net").encode()
        self.assertNotEqual(first.stdout.readline().strip(), ours)
        self.assertEqual(first.stdout.readline(), b"ready\n")
        self.daemon.published(1, command="perl")
        self.assertNotIn(first.communicate(b"x\n")[0].strip(), (ours, b""))
        clone = self.daemon.exec(*words, options=("--require", *options), stdin="x\n")
        self.assertNotIn(self.assertClone(clone).out.strip().encode(), (ours, b""))

    def test_network_with_more_than_loopback_is_refused(self):
        script = write(os.path.join(self.daemon.dir, "address.py"), ADDRESS)
        for _ in range(2):
            result = self.daemon.exec(harness.PYTHON, script, options=("--explain", *self.PRIVATE))
            self.assertEqual(result.out, "cold\n", result)
        self.assertRegex(result.reason, refusal("process %d has given its interface %s the address 10.1.2.3"))

    def test_network_with_an_interface_of_its_own_is_refused(self):
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("no /dev/net/tun here")
        script = write(os.path.join(self.daemon.dir, "interface.py"), INTERFACE)
        for _ in range(2):
            result = self.daemon.exec(harness.PYTHON, script, options=("--explain", *self.PRIVATE))
            self.assertEqual(result.out, "cold\n", result)
        self.assertRegex(result.reason, refusal("process %d has the interface warm0 in its network namespace"))

    def test_cold_start_has_loopback_too(self):
        result = self.daemon.exec("cat", "/proc/net/dev", options=("--cold", *self.PRIVATE))
        self.assertEqual([line.split(":")[0].strip() for line in result.out.splitlines()[2:]][-1], "lo")
        talk = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname()); print('up')"
        self.assertEqual(self.daemon.exec(harness.PYTHON, "-c", talk, options=("--cold", *self.PRIVATE)).out, "up\n")

    def test_without_the_right_to_it_the_launch_fails_in_words(self):
        try:
            result = self.daemon.exec("/bin/true", options=("--cold", *self.PRIVATE), user=65534, group=65534, extra_groups=[])
        except PermissionError:
            self.skipTest("uid 65534 cannot reach the build directory")
        self.assertEqual(result.code, 125)
        self.assertOneLine(result.err, "--net private", "operation not permitted", "run it as root, or with --net host")


class Connections(NetCase):
    def test_reset_in_a_clone_and_untouched_in_the_original(self):
        """The peer is somebody else, who notices nothing of any clone."""
        script = write(os.path.join(self.daemon.dir, "client.py"), CLIENT)
        ours = self.listener()
        argv = (harness.PYTHON, script, *self.words[1:])
        original = self.daemon.popen(*argv)
        self.running.append(original)
        peer, _ = ours.accept()
        self.addCleanup(peer.close)
        peer.settimeout(10)
        self.assertEqual(peer.recv(5), b"hello")
        peer.sendall(b"there")
        for n in range(100):
            peer.sendall(b"%03d" % n)
            self.assertEqual(peer.recv(3), (b"%03d" % n)[::-1])
        self.assertEqual(original.stdout.readline(), b"resumed\n")
        self.daemon.published(1, command=script)
        ours.setblocking(False)
        both = [self.daemon.popen(*argv, options=("--explain", "--require")) for _ in range(2)]
        for result in [harness.finish(process) for process in both]:
            self.assertEqual(self.assertClone(result).out, "reset\n", result)
        with self.assertRaises(BlockingIOError):
            ours.accept()  # nor did a clone connect by itself
        peer.sendall(b"abc")
        self.assertEqual(peer.recv(3), b"cba")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(peer.recv(3), b"")
        self.assertEqual(original.wait(10), 0)

    def test_addresses_of_the_host_and_beyond(self):
        """The trial, in a network of its own, has neither; a clone has both."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))
            except OSError:
                self.skipTest("this machine has no route to anywhere")
        script = write(os.path.join(self.daemon.dir, "outside.py"), OUTSIDE)
        self.assertEqual(self.daemon.exec(harness.PYTHON, script).out, "resumed\n")
        self.daemon.published(1, command=script)
        self.assertEqual(self.assertClone(self.daemon.exec(harness.PYTHON, script)).out, "restored\n")

    def test_standby_with_reset_connections_holds_no_address(self):
        script = write(os.path.join(self.daemon.dir, "client.py"), CLIENT)
        ours = self.listener()
        original = self.daemon.popen(harness.PYTHON, script, *self.words[1:])
        self.running.append(original)
        peer, _ = ours.accept()
        self.addCleanup(peer.close)
        peer.sendall(b"there")
        self.daemon.published(1, command=script)
        self.assertTrue(self.daemon.full_pool())
        standby = [pid for pid in harness.descendants(self.daemon.process.pid)
                   if script.encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        self.assertTrue(standby)
        inodes = set()
        for pid in standby:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    link = os.readlink(f"/proc/{pid}/fd/{fd}")
                except OSError:
                    continue
                if link.startswith("socket:["):
                    inodes.add(link[8:-1])
        held = [line.split()[9] for name in ("tcp", "tcp6", "udp", "udp6")
                for line in pathlib.Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]]
        self.assertTrue(inodes)
        self.assertEqual(inodes & set(held), set())
