# SPDX-License-Identifier: MIT
"""The programs that are measured, each with its request: how they are started, and what the request costs by itself."""

import os
import shutil
import socket

from errors import Failure, Skip
from harness import program_behind, read_some
from places import APPS, PYTHON
from spawner import Program

OWN_CALLS = 20
NUMBERS = "1 2 3 4 5 6 7 8\n"
JAVA_OPTIONS = ["-XX:+UseG1GC", "-Xms160m", "-Xmx160m", "-Xshare:auto"]


class Application:
    """A command whose answer is what it prints, behind one byte that says that it is ready."""

    def __init__(self, name, argv, request, env=None, stdin=""):
        self.name = name        # of its snapshot, too
        self.argv = argv
        self.request = request
        self.env = env or {}
        self.stdin = stdin

    def program(self, launcher=()):
        """One launch."""
        return Program([*launcher, *self.argv, *self.request], stdin=self.stdin, env=self.env)

    def hold(self, bench, launcher=(), **how):
        """A launch that waits behind its answer: (Popen, pid of the program)."""
        return bench.hold([*launcher, *self.argv, *self.held()], stdin=self.stdin, env=self.env, **how)

    def held(self):
        return ["--hold", *(word for word in self.request if word != "--ready-byte")]

    def original(self, bench):
        return ForkedOriginal(bench, self)

    def fork_server(self, bench):
        """[a client's command line, to be followed by what one of the program's is]"""
        path = os.path.join(bench.scratch, f"{self.name}.forks")
        if os.path.exists(path):
            os.unlink(path)     # one that has ended left it
        child = bench.start([*self.argv, "--serve", path], env=self.env)
        read_some(child)
        return [os.path.join(bench.build, "bench", "forkclient"), path]


class Server(Application):
    """A command that answers one request over HTTP, and ends."""

    def __init__(self, name, argv, env):
        self.port = port_of(name)
        super().__init__(name, argv, [], {**env, "BENCH_PORT": str(self.port)})
        self.path = "/report?city=Oslo&rows=3"

    def program(self, launcher=()):
        return super().program(launcher)._replace(port=self.port, path=self.path)

    def hold(self, bench, launcher=(), **how):
        child = bench.start([*launcher, *self.argv, "--hold"], env=self.env, **how)
        read_some(child)
        bench.spawner.ask(self.port, self.path)
        return child, program_behind(child)

    def original(self, bench):
        return ServingOriginal(bench, self)


class ForkedOriginal:
    """Answers in forks of itself: what the request costs there, the 20th time."""

    def __init__(self, bench, application):
        words = [word for word in application.request if word != "--ready-byte"]
        self.child = bench.start([*application.argv, "--own", *words], stdin=None, env=application.env)

    def own(self):
        self.child.stdin.write(NUMBERS.encode())
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise Failure(f"{' '.join(self.child.args)} ended")
        return float(line)


class ServingOriginal:
    """A runtime that cannot fork: the running program itself, 20 requests, the last one counts."""

    def __init__(self, bench, application):
        self.spawner = bench.spawner
        self.path = application.path
        self.port = port_of(application.name + "'s original")
        child = bench.start([*application.argv, "--stay"], env={**application.env, "BENCH_PORT": str(self.port)})
        read_some(child)

    def own(self):
        return [self.spawner.ask(self.port, self.path) for _ in range(OWN_CALLS)][-1]


ports = {}


def port_of(name):
    """One that is free, and below those that the kernel gives to connections, so that it stays so; the same each time, as it is
    part of what a snapshot is known by."""
    for port in range(20000 + os.getpid() % 10000, 32000):
        if name not in ports and port not in ports.values():
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            ports[name] = port
    return ports[name]


def native(bench, mib):
    program = os.path.join(bench.build, "bench", "native")
    return Application(f"native-{mib}", [program], ["7"], {"NATIVE_MIB": str(mib)})


def django(bench):
    stdin = os.path.join(bench.scratch, "numbers")
    with open(stdin, "w", encoding="ascii") as file:
        file.write(NUMBERS)
    return Application("django", [PYTHON, os.path.join(APPS, "django_app", "app.py")],
                       ["--ready-byte", "/report/", "city=Kyoto", "rows=4"], stdin=stdin)


def interpreter():
    return Application("interp", [PYTHON, os.path.join(APPS, "interp.py")], ["a=b"])


def jvm(bench, *options):
    java = shutil.which("java")
    archive = os.path.join(bench.build, "bench", "jvm", "server.jar")
    if not java or not os.path.exists(archive):
        raise Skip("no JDK, or `make bench-apps` was not run")
    path = f"{archive}:{os.path.join(bench.build, 'java', 'warm.jar')}"
    env = {"BENCH_HANDLER": os.path.join(APPS, "jvm", "Report.java"), "LD_LIBRARY_PATH": bench.build}
    return Server("jvm", [os.path.realpath(java), *JAVA_OPTIONS, *options, "-cp", path, "Server"], env)


def node(bench, *options):
    program = shutil.which("node")
    folder = os.path.join(bench.build, "bench", "node")
    if not program or not os.path.exists(os.path.join(folder, "server.js")):
        raise Skip("no node with headers and npm, or `make bench-apps` was not run")
    return Server("node", [program, *options, os.path.join(folder, "server.js")], {})
