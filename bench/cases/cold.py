# SPDX-License-Identifier: MIT
"""Launches for which no standby waits: by the template, and from the image alone."""

import time

import applications
from cases.hot import add_answers
from harness import wait_until
from measuring import BACK_TO_BACK
from outside import drop_page_cache, read_all

SETTLED_S = 0.2
LESSONS, LESSON_S = 4, 4


def nothing():
    pass


def template(run, name, application):
    """template tier: from posix_spawn of `warm exec` to the first byte behind the hook (ready), and to the last byte of the
    first answer; standbys are switched off (`warm pool SNAP 0`)"""
    run.hot(application)
    snapshot = run.snapshot_of(application)
    n = run.pairs[BACK_TO_BACK] // 2 or 1
    run.bench.tell("pool", snapshot, "0")
    try:
        wait_until(lambda: not run.bench.snapshot(snapshot)["standbys"], 20, f"{name}: standbys do not go")
        since = run.bench.launches()
        got = run.rounds(BACK_TO_BACK, n, nothing, true=run.true, launch=lambda: run.spawn(run.warm(application)))
        run.expect_tier(name, "template", n, since)
    finally:
        run.bench.restart_daemon()      # it forgets what was pinned
    run.add(f"{name}, ready", "us", [launch.first for launch in got["launch"]], got["true"])
    run.add(f"{name}, answer", "us", [launch.last for launch in got["launch"]], got["true"])


def django_template(run):
    template(run, "django-template", applications.django(run.bench))


def jvm_template(run):
    template(run, "jvm-template", applications.jvm(run.bench))


django_template.__doc__ = jvm_template.__doc__ = template.__doc__


def restart(run):
    """The daemon has neither template nor standby, and waits for a launch."""
    run.bench.restart_daemon()
    settle(run)


def settle(run):
    """Until the daemon has what it keeps for launches to come."""
    def kept():
        stats = run.bench.ask("stats")
        return stats["loaders"], stats["templates"], stats["standbys"]

    last, since = kept(), time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        now = kept()
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.02)


def restored(run, application, drop=nothing):
    """One cold restore."""
    restart(run)
    drop()
    launch = run.spawn(run.warm(application))
    tiers = run.bench.launches()
    run.cold_restores = getattr(run, "cold_restores", 0) + tiers["cold_restore"]
    return launch


def teach(run, application):
    """Launches from disk, until the image has in front what they ask for: a daemon that lives longer than here learns by itself."""
    snapshot = run.snapshot_of(application)

    def learnt():
        return run.bench.ask("show", snapshot)["learnt_launches"]

    for _ in range(LESSONS):
        before, began = learnt(), time.monotonic()
        restored(run, application)
        while learnt() == before and time.monotonic() - began < LESSON_S:
            time.sleep(0.05)
        if learnt() == before:
            return      # it has asked for nothing that is worth it


def restore(run, name, application):
    """cold restore: from posix_spawn of `warm exec` to the first byte behind the hook (ready), to the last byte of the first
    answer, and that less the request's own cost, all to /bin/true; the daemon was started anew for each launch, has neither
    template nor standby, and the image is in the page cache"""
    run.hot(application)
    teach(run, application)
    original = application.original(run.bench)
    read_all(run.bench.root)
    run.cold_restores = 0
    got = run.rounds(BACK_TO_BACK, run.few, nothing, true=run.true, launch=lambda: restored(run, application), own=original.own)
    note_tiers(run, name, run.few)
    add_answers(run, name, "", got)


def note_tiers(run, name, launches):
    if run.cold_restores != launches:
        run.note(f"{name}: {run.cold_restores} of {launches} launches were cold_restore")


def native_restore(run):
    restore(run, "native-restore", applications.native(run.bench, 4))


def django_restore(run):
    restore(run, "django-restore", applications.django(run.bench))


def node_restore(run):
    restore(run, "node-restore", applications.node(run.bench))


def jvm_restore(run):
    restore(run, "jvm-restore", applications.jvm(run.bench))


def large_restore(run):
    restore(run, "large-restore", applications.native(run.bench, 1024))


for case in (native_restore, django_restore, node_restore, jvm_restore, large_restore):
    case.__doc__ = restore.__doc__


def uncached(run, name, application):
    """page cache dropped (vm.drop_caches=1) before each: a cold restore by a daemon just started, and a cold start without
    Warm; from posix_spawn to the first byte behind the hook (ready) and to the last byte of the first answer"""
    def drop():
        drop_page_cache(run.bench.root)

    def start():
        drop()
        return run.spawn(application.program())

    run.hot(application)
    teach(run, application)
    n = max(1, run.few // 2)
    run.cold_restores = 0
    got = run.rounds(BACK_TO_BACK, n, nothing, start=start, launch=lambda: restored(run, application, drop))
    note_tiers(run, name, n)
    for what, of in (("ready", lambda times: times.first), ("answer", lambda times: times.last)):
        run.add(f"{name}, {what}, against the cold start", "us", list(map(of, got["launch"])), list(map(of, got["start"])))


def django_uncached(run):
    uncached(run, "django-uncached", applications.django(run.bench))


def jvm_uncached(run):
    uncached(run, "jvm-uncached", applications.jvm(run.bench))


django_uncached.__doc__ = jvm_uncached.__doc__ = uncached.__doc__
