# SPDX-License-Identifier: MIT
"""Launches for which a standby waits."""

import os
import time

import applications
from errors import Skip
from harness import end
from measuring import BACK_TO_BACK, MODES, checked
from processes import cgroups

CGROUPS = "/sys/fs/cgroup"


def true(run):
    """/bin/true in a loop of its own: from posix_spawn until it is reaped"""
    for mode in MODES:
        values = run.rounds(mode, run.pairs[mode], lambda: None, true=run.true)
        run.add(f"true, {mode}", "us", values["true"])


def four(run, name, application):
    """hot: from posix_spawn of `warm exec` to the first byte behind the hook (ready), to the last byte of the first answer
    (answer), and that less what the same request takes a fork of the original, 20th call (own), all to /bin/true"""
    pool = run.hot(application)
    original = application.original(run.bench)
    for mode in MODES:
        since = run.bench.launches()
        got = run.rounds(mode, run.pairs[mode], pool.wait, true=run.true, launch=lambda: run.spawn(run.warm(application)),
                         own=original.own)
        run.expect_tier(f"{name}, {mode}", "hot", run.pairs[mode], since)
        run.note_short(f"{name}, {mode}", pool)
        add_answers(run, name, f", {mode}", got)


def add_answers(run, name, mode, got):
    """Rows of rounds of /bin/true, a launch, and the request's own cost."""
    launches, own = got["launch"], got["own"]
    run.add(f"{name}, ready{mode}", "us", [launch.first for launch in launches], got["true"])
    run.add(f"{name}, answer{mode}", "us", [launch.last for launch in launches], got["true"])
    run.add(f"{name}, answer - own{mode}", "us", [launch.last - us for launch, us in zip(launches, own)], got["true"])
    run.add(f"{name}, own{mode}", "us", own, got["true"])


def native(run):
    four(run, "native-hot", applications.native(run.bench, 4))


def django(run):
    four(run, "django-hot", applications.django(run.bench))


def node(run):
    four(run, "node-hot", applications.node(run.bench))


def jvm(run):
    four(run, "jvm-hot", applications.jvm(run.bench))


native.__doc__ = django.__doc__ = node.__doc__ = jvm.__doc__ = four.__doc__


def large(run):
    """hot: ready of a native program with 1 GiB of memory to that of the same with 64 MiB"""
    small, big = applications.native(run.bench, 64), applications.native(run.bench, 1024)
    pools = [run.hot(small), run.hot(big)]

    def wait():
        for pool in pools:
            pool.wait()

    for mode in MODES:
        since = run.bench.launches()
        got = run.rounds(mode, run.pairs[mode], wait, true=run.true, small=lambda: run.spawn(run.warm(small)),
                         big=lambda: run.spawn(run.warm(big)))
        run.expect_tier(f"large-hot, {mode}", "hot", 2 * run.pairs[mode], since)
        ready = {name: [launch.first for launch in got[name]] for name in ("small", "big")}
        run.add(f"large-hot, ready, against 64 MiB, {mode}", "us", ready["big"], ready["small"])
        run.add(f"large-hot, ready, {mode}", "us", ready["big"], got["true"])
        run.add(f"large-hot, ready of 64 MiB, {mode}", "us", ready["small"], got["true"])
        run.add(f"large-hot, answer, {mode}", "us", [launch.last for launch in got["big"]], got["true"])
    run.forget(small)


def cgroup(run):
    """hot or not: ready and answer of a Django launch whose caller is in another control group than the daemon"""
    application = applications.django(run.bench)
    pool = run.hot(application)
    groups = make_groups()
    spawner = None
    try:
        spawner = run.bench.another_spawner(groups)
        since = run.bench.launches()
        launch = run.warm(application)
        got = run.rounds(BACK_TO_BACK, run.pairs[BACK_TO_BACK], pool.wait, true=run.true,
                         launch=lambda: checked(launch, spawner.spawn(launch)))
        now = run.bench.launches()
        run.add("cgroup, ready", "us", [times.first for times in got["launch"]], got["true"])
        run.add("cgroup, answer", "us", [times.last for times in got["launch"]], got["true"])
        tiers = {tier: n - since[tier] for tier, n in now.items() if n != since[tier]}
        run.note("cgroup: launches were " + ", ".join(f"{tier} {n}" for tier, n in tiers.items()) +
                 f"; a copy is {where_a_copy_is(run, application, groups)}")
    finally:
        if spawner:
            end(spawner.child)
        remove_groups(groups)


def make_groups():
    """One group of ours in each hierarchy that has memory, or is cgroup v2's."""
    groups = []
    for base in (CGROUPS, os.path.join(CGROUPS, "unified"), os.path.join(CGROUPS, "memory")):
        if os.path.exists(os.path.join(base, "cgroup.procs")) and os.access(base, os.W_OK):
            path = os.path.join(base, f"warm-bench-{os.getpid()}")
            os.mkdir(path)
            groups.append(path)
    if not groups:
        raise Skip("no control groups that can be made here")
    return groups


def remove_groups(groups):
    for path in groups:
        for _ in range(100):
            try:
                os.rmdir(path)
                break
            except OSError:     # what ended a moment ago still counts
                time.sleep(0.02)


def where_a_copy_is(run, application, groups):
    child, pid = application.hold(run.bench, run.bench.exec("--"), cgroups=groups)
    theirs, found = cgroups(child.pid), cgroups(pid)
    end(child)
    return "in its caller's group" if found == theirs else "not in its caller's group"
