# SPDX-License-Identifier: MIT
"""What the demo and the benchmark share: a private warmd, programs spawned and timed, memory of a process."""

import collections
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APPS = os.path.join(REPOSITORY, "bench", "apps")
PYTHON = "/usr/bin/python3"
TRUE = "/bin/true"

Times = collections.namedtuple("Times", "first last reaped status bytes")   # microseconds from posix_spawn


class Failure(Exception):
    """One line for the person who started this."""


def build_directory():
    build = os.environ.get("WARM_BUILD")
    if not build:
        warmd = shutil.which("warmd")
        beside = os.path.dirname(warmd) if warmd else ""
        built = os.path.exists(os.path.join(beside, "bench", "spawnbench"))
        build = beside if built else os.path.join(REPOSITORY, "build")
    if not os.path.exists(os.path.join(build, "bench", "spawnbench")):
        raise Failure(f"{build} has no bench/spawnbench: run `make` first")
    return os.path.abspath(build)


class Bench:
    """A scratch directory, a private daemon and a spawner; everything is gone at the end of the with statement."""

    def __init__(self):
        self.build = build_directory()
        self.warm = os.path.join(self.build, "warm")
        self.children = []

    def __enter__(self):
        # A signal that ends us unwinds the with statement: what we started is ended too.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        self.scratch = tempfile.mkdtemp(prefix="warm-bench.")
        self.root = os.path.join(self.scratch, "root")
        self.socket = os.path.join(self.scratch, "warmd.sock")
        self.log = os.path.join(self.scratch, "warmd.log")
        self.errors = os.path.join(self.scratch, "stderr")
        self.environment = {**os.environ, "WARM_SOCKET": self.socket, "PYTHONPATH": os.path.join(self.build, "python")}
        self.daemon = None
        with open(self.errors, "wb") as errors:
            self.spawner = subprocess.Popen([os.path.join(self.build, "bench", "spawnbench")], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, env=self.environment)
        self.children.append(self.spawner)
        return self

    def __exit__(self, kind, error, _trace):
        for child in reversed(self.children):
            end(child)
        self.stop_daemon()
        if kind in (Failure, AssertionError):
            for path in (self.errors, self.log):
                self.show_end(path)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def show_end(self, path):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()[-15:]
        except OSError:
            return
        for line in lines:
            print(f"    {os.path.basename(path)}: {line}", file=sys.stderr)

    # ---- the daemon ----

    def start_daemon(self):
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(
                [os.path.join(self.build, "warmd"), "--root", self.root, "--socket", self.socket, "--foreground"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "WARM_SOCKET": ""})
        wait_until(self.daemon_accepts, 10, "warmd does not accept connections")

    def daemon_accepts(self):
        if self.daemon.poll() is not None:
            raise Failure(f"warmd ended with status {self.daemon.returncode}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            try:
                probe.connect(self.socket)
            except OSError:
                return False
        return True

    def stop_daemon(self):
        if self.daemon:
            end(self.daemon)
            self.daemon = None

    def ask(self, *verb):
        """The answer of `warm --json VERB …`."""
        done = subprocess.run([self.warm, "--json", *verb], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=30, check=False)
        if done.returncode:
            raise Failure(f"warm --json {' '.join(verb)}: {done.stderr.decode(errors='replace').strip()}")
        return json.loads(done.stdout)

    def hot_launches(self):
        return self.ask("stats")["launches"]["hot"]

    def published(self, name=None):
        """Those of programs; interpreters that are pre-warmed for any program are asked for by name."""
        return [snapshot for snapshot in self.ask("ls") if snapshot["state"] == "published"
                and (snapshot["name"] != "pre-warmed" if name is None else snapshot["name"] == name)]

    def wait_published(self, n=1):
        def enough():
            bad = [s for s in self.ask("ls") if s["state"] == "quarantined"]
            if bad:
                raise Failure(f"snapshot {bad[0]['id']} is quarantined: {bad[0]['reason']}")
            return len(self.published()) >= n
        wait_until(enough, 30, "no snapshot was published")
        return self.published()[-1]["id"]

    # ---- programs ----

    def exec(self, *command):
        return [self.warm, "exec", *command]

    def spawn(self, argv, cwd="", stdin="", out="", env=None):
        settings = [f"{name}={value}" for name, value in (env or {}).items()]
        line = "\t".join(["spawn", cwd, stdin, out, str(len(settings)), *settings, *argv])
        self.spawner.stdin.write(line.encode() + b"\n")
        self.spawner.stdin.flush()
        answer = self.spawner.stdout.readline().split()
        if not answer:
            raise Failure(f"spawnbench ended while it ran {' '.join(argv)}")
        return Times(*(float(x) for x in answer[:3]), int(answer[3]), int(answer[4]))

    def hold(self, argv, **how):
        """Starts a program that waits after its answer, and waits for that answer. Returns (Popen, pid of the program
        as it is seen from here)."""
        with open(self.errors, "ab") as errors, open(how.get("stdin", "/dev/null"), "rb") as stdin:
            child = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=errors,
                                     cwd=how.get("cwd"), env={**self.environment, **how.get("env", {})})
        self.children.append(child)
        inode = os.fstat(child.stdout.fileno()).st_ino
        page = b""
        while not page.endswith(b"\n\n"):
            part = os.read(child.stdout.fileno(), 65536)
            if not part:
                raise Failure(f"{' '.join(argv)} ended before it was measured")
            page += part
        return child, writer_of_pipe(inode, child.pid)


class Pool:
    """Knows how many standbys a snapshot has when it is left alone, and waits for that many."""

    def __init__(self, bench, snapshot):
        self.bench = bench
        self.snapshot = snapshot
        self.full = 0
        self.short = 0      # launches that began with fewer, because they did not come back within the limit
        since = time.monotonic()
        while time.monotonic() - since < 1 or (not self.full and time.monotonic() - since < 20):
            n = self.standbys()
            if n > self.full:
                self.full, since = n, time.monotonic()
            time.sleep(0.02)
        if not self.full:
            raise Failure(f"snapshot {snapshot} has no standby after 20 s: see `warm ls`, `warm stats`")

    def standbys(self):
        for snapshot in self.bench.ask("ls"):
            if snapshot["id"] == self.snapshot:
                if snapshot["state"] != "published":
                    raise Failure(f"snapshot {self.snapshot} is {snapshot['state']}: {snapshot['reason']}")
                return snapshot["standbys"]
        raise Failure(f"snapshot {self.snapshot} has gone")

    def wait(self):
        limit = time.monotonic() + 2
        while self.standbys() < self.full:
            if time.monotonic() > limit:
                self.short += 1
                return
            time.sleep(0.001)


def wait_until(condition, seconds, what):
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise Failure(f"{what} within {seconds} s")
        time.sleep(0.005)


def end(child):
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()


def writer_of_pipe(inode, launcher):
    """The process whose standard output is this pipe and that has the most memory: the application, not `warm`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}/fd/1").st_ino == inode:
                    found.append((memory(int(entry))["rss"], int(entry)))
            except (OSError, Failure):
                pass
    if not found:
        raise Failure(f"the program started by process {launcher} is not to be found")
    return max(found)[1]


def memory(pid):
    """Bytes."""
    sums = collections.Counter()
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
        for line in file:
            words = line.split()
            if words[-1] == "kB":
                sums[words[0].rstrip(":")] += int(words[1]) * 1024
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        tables = [int(line.split()[1]) * 1024 for line in file if line.startswith("VmPTE")]
    return {"rss": sums["Rss"], "pss": sums["Pss"], "private": sums["Private_Clean"] + sums["Private_Dirty"],
            "page_tables": sum(tables)}


def percentile(values, p):
    """The smallest value that p percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1)]


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} CPUs, Linux {os.uname().release}"
