# SPDX-License-Identifier: MIT
"""What processes do and when, as the kernel sees it: system calls, execve, switches of the processors (ftrace).

An instance of our own in tracefs, so that nobody else's tracing is touched. Times are CLOCK_MONOTONIC, microseconds.
"""

import collections
import os
import re

from errors import Skip

INSTANCES = "/sys/kernel/tracing/instances"
EVENTS = ("raw_syscalls/sys_enter", "raw_syscalls/sys_exit", "sched/sched_process_exec", "sched/sched_process_exit",
          "sched/sched_switch", "exceptions/page_fault_user")
LINE = re.compile(r"^\s*(.+)-(\d+)\s+\[\d+\]\s+\S+\s+([\d.]+): (\w+): (.*)$")
SYSCALL = re.compile(r"^NR (-?\d+) (?:\(([0-9a-f]+)|= (-?\d+))")

# pid: of a thread. kind: "enter" or "exit" of system call `nr`, whose first argument or result is `value`; "exec"; "end"; "fault", a
# page fault in user space; "on", got a processor.
Event = collections.namedtuple("Event", "us pid comm kind nr value", defaults=[None, None])


class Trace:
    """Of these processes and all that they make from now on."""

    def __init__(self, pids):
        self.folder = os.path.join(INSTANCES, f"warm-bench-{os.getpid()}")
        self.pids = pids

    def __enter__(self):
        try:
            os.mkdir(self.folder)
        except OSError as error:
            raise Skip(f"no tracing here: {INSTANCES}: {error.strerror}") from None
        self.write("trace_clock", "mono")
        self.write("buffer_size_kb", "16384")
        self.write("options/event-fork", "1")
        self.write("set_event_pid", " ".join(map(str, self.pids)))
        for event in EVENTS:
            self.write(f"events/{event}/enable", "1")
        return self

    def __exit__(self, *_):
        self.write("tracing_on", "0")
        os.rmdir(self.folder)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def clear(self):
        self.write("trace", "")

    def events(self):
        """All since the last clear(), in order of time."""
        self.write("tracing_on", "0")
        with open(os.path.join(self.folder, "trace"), encoding="utf-8", errors="replace") as file:
            found = [event for line in file for event in parsed(line)]
        self.write("tracing_on", "1")
        return sorted(found, key=lambda event: event.us)


def parsed(line):
    """The events that a line of the trace tells of, as a list."""
    match = LINE.match(line)
    if not match:
        return []
    comm, pid, seconds, name, rest = match.groups()
    us = float(seconds) * 1e6
    if name in ("sys_enter", "sys_exit"):
        nr, argument, result = SYSCALL.match(rest).groups()
        value = int(argument, 16) if name == "sys_enter" else int(result)
        return [Event(us, int(pid), comm, name[4:], int(nr), value)]
    if name == "sched_process_exec":
        return [Event(us, int(pid), comm, "exec")]
    if name == "sched_process_exit":
        return [Event(us, int(pid), comm, "end")]
    if name == "page_fault_user":
        return [Event(us, int(pid), comm, "fault")]
    if name == "sched_switch":
        after = re.search(r"next_comm=(.*) next_pid=(\d+)", rest)
        return [Event(us, int(after[2]), after[1], "on")] if after else []
    return []
