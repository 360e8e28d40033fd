# SPDX-License-Identifier: MIT
"""The oracle of refusals: a program that is refused is looked at from outside before and after, and nothing may have
changed. For victims in the hook, and for any process."""
import difflib
import os
import pprint
import socket
import subprocess
import sys

import harness
from snap import FAILED, Snap, state

sys.path.insert(0, os.path.join(harness.ROOT, "sdk", "python"))
from warm import _wire as wire  # noqa: E402  (the path has to be there first)

SAME_STATUS = ("Name", "State", "TracerPid", "Uid", "Gid", "Groups", "Umask", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt",
               "CapPrm", "CapEff", "NoNewPrivs", "Seccomp")
PENDING = wire.MAGIC + wire.number(1, 1) + wire.text(wire.HOOK, wire.number(wire.OUTCOME, wire.PENDING))


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def seen_thread(path):
    lines = dict(line.split(":", 1) for line in text_of(f"{path}/status").splitlines())
    found = {name: lines[name].strip() for name in SAME_STATUS if name in lines}
    if found["State"][0] in "RS":   # it may just be on its way into a wait, or out of the freeze
        found["State"] = "not stopped"
    return found


def seen(pid):
    """Threads and their state, signals, children, areas, timers, directories, and descriptors with all that /proc says
    of them."""
    proc = f"/proc/{pid}"
    tids = sorted(os.listdir(f"{proc}/task"))
    return {"threads": {tid: seen_thread(f"{proc}/task/{tid}") for tid in tids},
            "children": {tid: text_of(f"{proc}/task/{tid}/children") for tid in tids},
            "descriptors": {fd: (os.readlink(f"{proc}/fd/{fd}"), text_of(f"{proc}/fdinfo/{fd}")) for fd in os.listdir(f"{proc}/fd")},
            "areas": text_of(f"{proc}/maps"),
            "timers": text_of(f"{proc}/timers"),
            "links": [os.readlink(f"{proc}/{name}") for name in ("exe", "cwd", "root")]}


def waits_in(pid):
    """The system call that the main thread waits in, with its arguments, stack and place; "running" where it does not."""
    return text_of(f"/proc/{pid}/syscall").strip()


def settle(pid):
    """Until its main thread waits."""
    harness.wait_for(lambda: state(pid) in "SZ" and waits_in(pid) != "running", 5)


def difference(was, now):
    was, now = [text.splitlines() if isinstance(text, str) else pprint.pformat(text).splitlines() for text in (was, now)]
    return [line for line in difflib.unified_diff(was, now, n=0, lineterm="")][2:]


def refused(pid, words, *more):
    """Has warm-snap look at a process whose main thread waits, with more words on its command line. It must refuse it with
    words (refusal()), and leave it as it was. Returns what it said."""
    before, call = seen(pid), waits_in(pid)
    reports = Snap(pid, *more).reports()
    if [kind for kind, *_ in reports] != [FAILED]:
        raise AssertionError(f"it was not refused: {reports}")
    said = reports[0][2]
    if not words.search(said):
        raise AssertionError(f"refused by {said!r}, not by {words.pattern!r}")
    harness.wait_for(lambda: waits_in(pid) == call, 2, 0.001)
    after = seen(pid)
    for what, was in before.items():
        if after[what] != was:
            raise AssertionError(f"{said}: its {what} have changed:\n" + "\n".join(difference(was, after[what])))
    if waits_in(pid) != call:
        raise AssertionError(f"{said}: it waits in {waits_in(pid)}, not in {call}")
    return said


def launch_options(fds):
    """warm-snap's, for a program that was started with {number: the same open here}."""
    return [word for number, fd in fds.items() for word in ("--launch-fd", "{}:{st.st_dev}:{st.st_ino}".format(number, st=os.fstat(fd)))]


class InTheHook:
    """A program that waits in the hook for a daemon, us, that says nothing more. It has not come there where `connection`
    is None: it has ended before. `options` are warm-snap's for it."""

    def __init__(self, argv, directory, **keywords):
        path = os.path.join(directory, "sock")
        self.connection = None
        if os.path.exists(path):    # of one before
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            os.chmod(path, 0o666)
            listener.listen(1)
            listener.settimeout(0.05)
            with open(os.devnull, "rb") as null:
                self.process = subprocess.Popen(argv, stdin=null, stdout=subprocess.PIPE, stderr=null, cwd=directory,
                                                env=dict(os.environ, WARM_SOCKET=path), **keywords)
                self.options = launch_options({0: null.fileno(), 1: self.process.stdout.fileno(), 2: null.fileno()})
            while not self.connection and self.process.poll() is None:
                try:
                    self.connection = listener.accept()[0]
                except TimeoutError:
                    pass
        kind = wire.HELLO
        while self.connection and kind in (wire.HELLO, wire.DEPENDS):
            (kind, body), = wire.fields(self.connection.recv(1 << 20)[4:])
            if kind == wire.HELLO:
                self.connection.send(PENDING)
        if self.connection:
            self.options += ["--hook-fd", str(dict(wire.fields(body))[wire.HOOK_FD])]
            settle(self.process.pid)

    def go_on(self):
        """Its exit status, and what it says in the end."""
        if self.connection:
            self.connection.close()
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out.decode()

    def end(self):
        """Whatever it was about."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.connection:
            self.connection.close()
