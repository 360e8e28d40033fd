# SPDX-License-Identifier: MIT
"""What victims and end-to-end tests share: a private warmd and the `warm` of the build under test.

Everything lives in one temporary directory, so that two runs never meet, and is ended by pid.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("WARM_BUILD", os.path.join(ROOT, "build")))
WARM = os.path.join(BUILD, "warm")
WARMD = os.path.join(BUILD, "warmd")
APP = os.path.join(BUILD, "tests", "app")
OPENER = os.path.join(BUILD, "tests", "opener")
PYTHON = "/usr/bin/python3"
CLONE_TIERS = ("hot", "template", "cold_restore")


def base_env():
    """A small environment that does not vary with who runs the tests."""
    return {
        "PATH": BUILD + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.environ.get("HOME", "/root"),
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": BUILD,
        "PYTHONPATH": os.path.join(BUILD, "python"),
        "NODE_PATH": os.path.join(BUILD, "node"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def wait_for(condition, seconds=10.0, step=0.01):
    """Polls until condition() is true; returns its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def processes():
    """{pid: (ppid, command name)} of everything that runs."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        comm = text[text.index("(") + 1:text.rindex(")")]
        found[int(name)] = (int(text[text.rindex(")") + 2:].split()[1]), comm)
    return found


def descendants(pid):
    table = processes()
    found, front = [], [pid]
    while front:
        front = [child for child, (parent, _) in table.items() if parent in front]
        found += front
    return found


def program_behind(launch):
    """pid of the program that writes into the pipe which is launch.stdout, and is not `warm` itself."""
    ours = os.fstat(launch.stdout.fileno()).st_ino
    found = []
    for pid, (_, comm) in processes().items():
        try:
            if comm not in ("warm", "warm-init") and pid != os.getpid() and os.stat(f"/proc/{pid}/fd/1").st_ino == ours:
                found.append(pid)
        except OSError:
            pass
    if len(found) != 1:
        raise AssertionError(f"programs behind {launch.args}: {found}")
    return found[0]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def kill_quietly(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def can_connect(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(path)
            return True
        except OSError:
            return False


def end_politely():
    """A runner that is told to end still cleans up: its finally clauses run. A shell without job control starts what
    goes to the background with SIGINT and SIGQUIT ignored, and programs inherit that: tests mean the usual case."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


class Daemon:
    """A private warmd: its own root, socket and log below `dir`. Restartable; close() leaves nothing."""

    def __init__(self, root=None, config=None, from_disk=False):
        self.dir = tempfile.mkdtemp(prefix="warm-test-")
        os.chmod(self.dir, 0o755)
        self.root = root or os.path.join(self.dir, "root")
        self.socket = os.path.join(self.dir, "warmd.sock")
        self.log_path = os.path.join(self.dir, "warmd.log")
        self.env = dict(base_env(), WARM_SOCKET=self.socket)
        self.process = None
        # What most tests count is their own program's snapshots: an interpreter's is wanted by name only.
        config = "[python]\nprewarm = no\n[node]\nprewarm = no\n[java]\nprewarm = no\n" if config is None else config
        self.from_disk = from_disk  # no memory for templates and standbys: each clone is one from disk
        if from_disk:
            config += "[pool]\nbudget = 0\n"
        self.starter = []  # what warmd is started by: a command that executes its arguments
        self.options = ["--config", os.path.join(self.dir, "warmd.conf")]  # of warmd, besides its places
        with open(self.options[1], "w", encoding="utf-8") as file:
            file.write(config)
            if os.environ.get("WARM_HUGE"):     # auto, always, no
                file.write("[pool]\nhuge-pages = " + os.environ["WARM_HUGE"] + "\n")
            if os.environ.get("WARM_FORK"):     # auto, always, no
                file.write("[snapshot]\nfork = " + os.environ["WARM_FORK"] + "\n")

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.starter, WARMD, "--root", self.root, "--socket", self.socket, "--foreground", *self.options],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                            start_new_session=True)
        if not wait_for(lambda: can_connect(self.socket) or self.process.poll() is not None, 10):
            raise RuntimeError("warmd did not come up:\n" + self.log())
        if self.process.poll() is not None:
            raise RuntimeError(f"warmd ended with {self.process.returncode}:\n" + self.log())
        return self

    def warmd_pid(self):
        """The daemon itself: not warm-spawn in front of it, nor a short-lived child of it that still has its name."""
        def child():
            found = [pid for pid, (parent, comm) in processes().items() if parent == self.process.pid and comm == "warmd"]
            return found[0] if found else None
        return wait_for(child, 1)

    def stop(self, sig=signal.SIGTERM):
        """Ends warmd and what it started but running clones; returns the seconds that took."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        warmd = self.warmd_pid()
        kill_quietly(self.process.pid, sig)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in descendants(self.process.pid) + [self.process.pid]:
                kill_quietly(pid, signal.SIGCONT)
                kill_quietly(pid)
            self.process.wait(5)
        wait_for(lambda: warmd is None or not alive(warmd), 2)
        self.process = None
        return time.monotonic() - began

    def close(self):
        family = descendants(self.process.pid) if self.process else []
        self.stop()
        wait_for(lambda: not [pid for pid in family if alive(pid)], 2)
        for pid in family + self.mentioned():
            kill_quietly(pid)
        shutil.rmtree(self.dir, ignore_errors=True)

    def mentioned(self):
        """Processes that name our directory on their command line: a daemon that a test started behind our back."""
        found = []
        for pid in processes():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                    if self.dir.encode() in cmdline.read() and pid != os.getpid():
                        found.append(pid)
            except OSError:
                pass
        return found

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    # ---- the command --------------------------------------------------------------------------------------------

    def popen(self, *argv, options=(), env=None, **keywords):
        """`warm exec OPTIONS -- ARGV` with stdin from /dev/null, stdout and stderr as pipes."""
        keywords.setdefault("stdin", subprocess.DEVNULL)
        keywords.setdefault("stdout", subprocess.PIPE)
        keywords.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([WARM, "exec", *options, "--", *argv], env=dict(self.env, **(env or {})), **keywords)

    def exec(self, *argv, options=("--explain",), stdin=None, timeout=30, **keywords):
        """Runs to the end. The result has code, out, err and, with --explain, tier and reason."""
        if stdin is not None:
            keywords["stdin"] = subprocess.PIPE
        process = self.popen(*argv, options=options, **keywords)
        return finish(process, stdin, timeout)

    def warm(self, *argv, timeout=30):
        """Any other verb."""
        process = subprocess.Popen([WARM, "--socket", self.socket, *argv], env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return finish(process, None, timeout)

    def ls(self):
        done = self.warm("--json", "ls")
        if done.code != 0:
            raise RuntimeError("warm ls: " + done.err)
        return json.loads(done.out)

    def published(self, n=1, seconds=20, command=None, standbys=True):
        """Waits until n snapshots (of this command) are published and each has a standby (on a terminal: none has);
        returns them."""
        def there():
            rows = [row for row in self.ls() if row["state"] == "published" and
                    (command is None or row["command"][:1] == [command] or command in row["command"])]
            wanted = standbys and not self.from_disk
            return rows if len(rows) >= n and all(row["standbys"] or not wanted for row in rows) else None
        found = wait_for(there, seconds, 0.05)
        if not found:
            raise AssertionError(f"no snapshot was published within {seconds} s; cache: {self.ls()}; warmd says:\n" + self.log())
        return found

    def wait_standbys(self, n, seconds=10):
        """Waits until the newest snapshot has n standbys, where it has any."""
        return self.from_disk or wait_for(lambda: self.ls()[0]["standbys"] >= n, seconds)

    def full_pool(self, seconds=5):
        """Waits until every published snapshot has a standby again, so that the next launch may be hot."""
        if self.from_disk:
            return True
        return wait_for(lambda: all(row["standbys"] for row in self.ls() if row["state"] == "published"), seconds)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.explained = explanation(err)
        self.tier = self.explained.get("tier")
        self.reason = self.explained.get("reason")

    def __repr__(self):
        return f"<exit {self.code}, out {self.out!r}, err {self.err!r}>"


def finish(process, stdin=None, timeout=30):
    if isinstance(stdin, str):
        stdin = stdin.encode()
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        try:
            out, err = process.communicate(timeout=5)
        except subprocess.TimeoutExpired as held:  # somebody else has the other end of its pipes
            out, err = held.stdout, held.stderr
            process.wait()
        raise AssertionError(f"{process.args} did not end within {timeout} s; out {out!r}, err {err!r}") from None
    return Result(process.returncode, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace"))


def explanation(text):
    """The JSON line of --explain among what came on standard error."""
    for line in text.splitlines():
        if line.startswith("{") and '"tier"' in line:
            try:
                return json.loads(line)
            except ValueError:
                return {}
    return {}
