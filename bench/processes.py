# SPDX-License-Identifier: MIT
"""What /proc says of processes that are looked at from outside."""

import collections
import os

from errors import Failure

Memory = collections.namedtuple("Memory", "rss pss private page_tables")    # bytes


def memory(pid):
    sums = collections.Counter()
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
        for line in file:
            words = line.split()
            if words[-1] == "kB":
                sums[words[0].rstrip(":")] += int(words[1]) * 1024
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        tables = [int(line.split()[1]) * 1024 for line in file if line.startswith("VmPTE")]
    return Memory(sums["Rss"], sums["Pss"], sums["Private_Clean"] + sums["Private_Dirty"], sum(tables))


def writer_of_pipe(inode, launcher):
    """The process whose standard output is this pipe and that has the most memory: the application, not `warm`."""
    found = []
    for pid in pids():
        try:
            if os.stat(f"/proc/{pid}/fd/1").st_ino == inode:
                found.append((memory(pid).rss, pid))
        except OSError:
            pass
    if not found:
        raise Failure(f"the program started by process {launcher} is not to be found")
    return max(found)[1]


def pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def parents():
    """{pid: (pid of the parent, name)} of everything that runs."""
    found = {}
    for pid in pids():
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        end = text.rindex(")")
        found[pid] = (int(text[end + 2:].split()[1]), text[text.index("(") + 1:end])
    return found


def descendants(pid):
    """{pid: name}"""
    table = parents()
    found, front = {}, [pid]
    while front:
        front = [child for child, (parent, _) in table.items() if parent in front]
        found.update((child, table[child][1]) for child in front)
    return found


def copies(daemon):
    """pids of the applications that descend from this daemon: parked standbys and running copies. Each is the child of
    its supervisor, warm-init."""
    table = parents()
    family = descendants(daemon)
    return [pid for pid in family if table.get(table.get(pid, (0, ""))[0], (0, ""))[1] == "warm-init"]


def cgroups(pid):
    """{hierarchy: group}"""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        return {line.split(":")[1]: line.rstrip("\n").split(":", 2)[2] for line in file}
