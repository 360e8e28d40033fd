# SPDX-License-Identifier: MIT
"""What the demo and the benchmark share: a private warmd in a scratch directory, programs that are started there."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from errors import Failure
from places import build_directory
from processes import descendants, writer_of_pipe
from spawner import Program, Spawner, join

POOL_S = 5          # a pool has so long to be full again
POOL_MOST_S = 30    # and so long at first
LEARNT_FROM, LEARNT_S = 8 << 20, 5


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
        self.environment = {**os.environ, "WARM_SOCKET": self.socket, "PYTHONPATH": os.path.join(self.build, "python"),
                            "NODE_PATH": os.path.join(self.build, "node")}
        self.daemon = None
        self.spawner = Spawner(self.build, self.environment, self.errors)
        return self

    def another_spawner(self, cgroups):
        spawner = Spawner(self.build, self.environment, self.errors, cgroups)
        self.children.append(spawner.child)
        return spawner

    def __exit__(self, kind, error, _trace):
        self.end_children()
        end(self.spawner.child)
        self.stop_daemon()
        if kind in (Failure, AssertionError):
            self.show_logs()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def end_children(self):
        """All that was started but the first spawner; and what a fork server has made."""
        for child in reversed(self.children):
            family = descendants(child.pid)
            end(child)
            for pid in family:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.children.clear()

    def show_logs(self):
        for path in (self.errors, self.log):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    lines = file.read().splitlines()[-15:]
            except OSError:
                continue
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

    def begin_anew(self):
        """Behind a failure: whatever has ended is there again."""
        self.restart_daemon()
        if self.spawner.child.poll() is not None:
            end(self.spawner.child)
            self.spawner = Spawner(self.build, self.environment, self.errors)

    def restart_daemon(self):
        """Its templates and standbys are gone, and what it had learnt."""
        self.stop_daemon()
        self.start_daemon()

    def ask(self, *verb):
        """The answer of `warm --json VERB …`."""
        return json.loads(self.tell("--json", *verb))

    def tell(self, *words):
        done = subprocess.run([self.warm, *words], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=30, check=False)
        if done.returncode:
            raise Failure(f"warm {' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def launches(self):
        """{tier: how many since the daemon started}"""
        return self.ask("stats")["launches"]

    def wait_for_learning(self, snapshot):
        """A large image is stored anew behind its first launch; where nothing can be learnt from it, that is soon known."""
        limit = time.monotonic() + LEARNT_S
        while time.monotonic() < limit:
            row = self.ask("show", snapshot)
            if row["learnt_launches"] or row["rss_bytes"] < LEARNT_FROM:
                return
            time.sleep(0.05)

    def snapshot(self, identity):
        """Its row in the list."""
        for row in self.ask("ls"):
            if row["id"] == identity:
                if row["state"] != "published":
                    raise Failure(f"snapshot {identity} is {row['state']}: {row['reason']}")
                return row
        raise Failure(f"snapshot {identity} has gone")

    # ---- programs ----

    def exec(self, *command):
        return [self.warm, "exec", *command]

    def explain(self, argv):
        """What `warm exec --explain` says of a launch whose standard streams are of the kinds that the spawner gives."""
        path = os.path.join(self.scratch, "explained")
        with open(path, "wb") as errors:
            subprocess.run(self.exec("--explain", "--", *argv), env=self.environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=errors, timeout=60, check=True)
        with open(path, encoding="utf-8", errors="replace") as file:
            return json.loads([line for line in file if line.startswith("{")][-1])

    def spawn(self, argv, cwd="", stdin="", out="", env=None):
        return self.spawner.spawn(Program(argv, cwd, stdin, out, env or {}))

    def start(self, argv, stdin="", env=None, cwd=None, cgroups=()):
        """A process whose standard output is a pipe to us, and that is ended with us. stdin: a file, None: a pipe; cgroups:
        folders of the control groups that it belongs to."""
        with open(self.errors, "ab") as errors, open(stdin or "/dev/null", "rb") as file:
            child = subprocess.Popen(argv, stdin=subprocess.PIPE if stdin is None else file, stdout=subprocess.PIPE,
                                     stderr=errors, cwd=cwd, env={**self.environment, **(env or {})},
                                     preexec_fn=lambda: join(cgroups))
        self.children.append(child)
        return child

    def hold(self, argv, **how):
        """Starts a program that waits after its answer, and waits for the empty line at its end. Returns (Popen, pid of
        the program as it is seen from here)."""
        child = self.start(argv, **how)
        page = b""
        while not page.endswith(b"\n\n"):
            page += read_some(child)
        return child, program_behind(child)


def read_some(child):
    part = os.read(child.stdout.fileno(), 65536)
    if not part:
        raise Failure(f"{' '.join(child.args)} ended before it was measured")
    return part


def program_behind(child):
    return writer_of_pipe(os.fstat(child.stdout.fileno()).st_ino, child.pid)


class Pool:
    """Waits until a snapshot has the standbys that the daemon wants it to have now."""

    def __init__(self, bench, snapshot):
        self.bench = bench
        self.snapshot = snapshot
        self.short = 0      # launches that began with fewer, because they did not come back within the limit
        wait_until(lambda: self.missing() <= 0, POOL_MOST_S, f"snapshot {snapshot} has not its standbys: see `warm pool`")

    def missing(self):
        row = self.bench.snapshot(self.snapshot)
        return max(1, row["standbys_wanted"]) - row["standbys"]

    def wait(self):
        limit = time.monotonic() + POOL_S
        while self.missing() > 0:
            if time.monotonic() > limit:
                self.short += 1
                return
            time.sleep(0.005)   # asking takes processor time from who makes them


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
        try:
            if pipe:
                pipe.close()
        except BrokenPipeError:     # what it had not read
            pass
