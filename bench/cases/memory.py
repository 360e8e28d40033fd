# SPDX-License-Identifier: MIT
"""Memory that is a copy's or a standby's alone: Private_Clean + Private_Dirty; page tables beside it."""

import applications
from harness import end, wait_until
from processes import copies, memory

MIB = 1 << 20
CLONES = 5


def django(run):
    """one more copy of Django behind its first answer, another one alive beside it: its private memory, and that of one more
    plain fork of the original (a fork server's) behind the same request; and of a standby"""
    application = applications.django(run.bench)
    run.hot(application)
    client = application.fork_server(run.bench)

    def fork():
        return run.bench.hold([*client, *application.held()], stdin=application.stdin)

    held = [fork()]
    forks = []
    for _ in range(CLONES):
        held.append(fork())
        forks.append(memory(held[-1][1]))
    clones = held_copies(run, "django-memory", application, beside=1)
    run.add("django-memory, private, against a fork", "MiB", [each.private / MIB for each in clones],
            [each.private / MIB for each in forks])
    run.add("django-memory, page tables, against a fork", "MiB", [each.page_tables / MIB for each in clones],
            [each.page_tables / MIB for each in forks])
    standby(run, "django-standby", application)


def node(run):
    """one copy of Node behind its first answer: its private memory, and that of a standby"""
    single(run, "node", applications.node(run.bench))


def jvm(run):
    """one copy of the Java machine behind its first answer: its private memory, and that of a standby"""
    single(run, "jvm", applications.jvm(run.bench))


def single(run, name, application):
    """Its copies have one port: they live one after another, beside standbys that have the same memory."""
    run.hot(application)
    clones = held_copies(run, f"{name}-memory", application, beside=0)
    run.add(f"{name}-memory, private", "MiB", [each.private / MIB for each in clones])
    run.add(f"{name}-memory, page tables", "MiB", [each.page_tables / MIB for each in clones])
    standby(run, f"{name}-standby", application)


def held_copies(run, name, application, beside):
    """Memory of CLONES copies, so many others alive beside each."""
    snapshot = run.snapshot_of(application)
    since = run.bench.launches()
    found = []
    alive = []
    for _ in range(CLONES + beside):
        wait_until(lambda: run.bench.snapshot(snapshot)["standbys"], 20, f"{name}: no standby")
        alive.append(application.hold(run.bench, run.bench.exec("--")))
        found.append(memory(alive[-1][1]))
        if len(alive) > beside:
            end(alive.pop(0)[0])
    for child, _ in alive:
        end(child)
    run.expect_tier(name, "hot", CLONES + beside, since)
    return found[beside:]


def standby(run, name, application):
    """Each standby that waits now."""
    run.forget_others(application)
    run.hot(application)
    snapshot = run.snapshot_of(application)
    wait_until(lambda: len(copies(run.bench.daemon.pid)) == run.bench.snapshot(snapshot)["standbys"], 20,
               f"{name}: its standbys are not the only ones")
    parked = [memory(pid) for pid in copies(run.bench.daemon.pid)]
    run.add(f"{name}, private", "MiB", [each.private / MIB for each in parked])
    run.add(f"{name}, page tables", "MiB", [each.page_tables / MIB for each in parked])
