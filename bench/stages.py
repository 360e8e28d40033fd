# SPDX-License-Identifier: MIT
"""Where a launch's time goes, stage by stage, from the system calls of all that take part (tracing.py): pure functions but for
run().

A launch is cut at moments, found one after the other: the first event behind the one before that a condition holds for. A moment
that does not occur - a hot launch makes no process - is left out, and its time belongs to the next stage. The kernel's
tracing makes each system call some 0.2 us longer.
"""

import collections

import applications
from cases.cold import restart, teach
from errors import Skip
from figures import percentile
from harness import wait_until
from measuring import BACK_TO_BACK
from processes import descendants
from tracing import Trace

READ, WRITE, RT_SIGRETURN, WRITEV, CONNECT, RECVFROM, SENDMSG, RECVMSG, EXECVE, SENDMMSG = \
    0, 1, 15, 20, 42, 45, 46, 47, 59, 307
LAUNCHES = 30
SLACK_US = 3    # a stamp of the trace is cut to microseconds

# Threads; writer: who writes the program's first byte; and the descriptor by which `warm` speaks to the daemon.
Actors = collections.namedtuple("Actors", "warm warmd writer daemon_fd")
Stage = collections.namedtuple("Stage", "name us faults")


def called(who, *numbers, first=None):
    """who has begun one of these calls, with this first argument."""
    return lambda event, actors: (event.kind == "enter" and event.pid == getattr(actors, who) and event.nr in numbers
                                  and first in (None, event.value))


def asked(event, actors):
    return called("warm", SENDMSG)(event, actors) and event.value == actors.daemon_fd


def returned(who, *numbers):
    """One of these calls of who has succeeded."""
    return lambda event, actors: (event.kind == "exit" and event.pid == getattr(actors, who) and event.nr in numbers
                                  and event.value >= 0)


def executed(name):
    return lambda event, actors: event.kind == "exec" and event.comm == name


def of_a_copy(kind, *numbers):
    """By a thread that is none of the launch's other parts: in a standby, or what it has become."""
    def is_it(event, actors):
        return (event.kind == kind and event.nr in numbers and event.pid not in (actors.warm, actors.warmd)
                and not event.comm.startswith(("warm", "spawnbench")) and (kind != "exit" or event.value > 0))
    return is_it


TEMPLATE_STARTS = ("warmd: starts a template", executed("warm-restore"))
STANDBY_IS_MADE = ("the template is there, and a standby of it has its supervisor", executed("warm-init"))

# What ends each stage.
MOMENTS = (
    ("posix_spawn: a process is made, descriptors and signals are set", called("warm", EXECVE)),
    ("execve: the kernel loads `warm`", returned("warm", EXECVE)),
    ("warm: options, a socket", called("warm", CONNECT)),
    ("warm: connects, makes its request and sends it", asked),
    ("warmd: wakes up and takes the request", returned("warmd", RECVMSG)),
    ("warmd: looks up and checks the snapshot, until the first message", called("warmd", SENDMSG, SENDMMSG)),
    TEMPLATE_STARTS,
    STANDBY_IS_MADE,
    ("GO is sent, the standby wakes up", of_a_copy("exit", RECVMSG)),
    ("restorer: descriptors, what the launch brings, the token, its own end", of_a_copy("enter", RT_SIGRETURN)),
    ("the application runs until its hook has the answer", returned("writer", RECVFROM, RECVMSG, READ)),
    ("hook: the launch's arguments, environment; after-hooks; until the first byte", called("writer", WRITE, WRITEV, first=1)),
)


# What a launch of a tier does not do; where it is seen all the same, it is a refill behind the launch.
LACKS = {"hot": (TEMPLATE_STARTS, STANDBY_IS_MADE), "template": (TEMPLATE_STARTS,), "restore": ()}


def cut(events, times, tier):
    """The stages of one launch. times: spawnbench's."""
    began = times.began / 1000
    marks = {"ready": began + times.first, "answer": began + times.last, "reaped": began + times.reaped}
    launch = [event for event in events if began - SLACK_US <= event.us <= marks["reaped"]]
    actors = find_actors(launch)
    stages, at, last = [], 0, began
    for moment in MOMENTS:
        name, is_it = moment
        if moment in LACKS[tier]:
            continue
        for n in range(at, len(launch)):
            if launch[n].us <= marks["ready"] and is_it(launch[n], actors):
                stages.append(stage(name, launch, actors, last, launch[n].us))
                at, last = n, launch[n].us
                break
    for name, mark in (("the first byte is read: ready", "ready"), ("the request, until the last byte of its answer", "answer"),
                       ("the program ends, its supervisor and `warm`, until it is reaped", "reaped")):
        stages.append(stage(name, launch, actors, last, marks[mark]))
        last = marks[mark]
    return stages


def stage(name, launch, actors, since, until):
    faults = sum(event.kind == "fault" and event.pid in actors[:3] and since < event.us <= until for event in launch)
    return Stage(name, max(0.0, until - since), faults)


def find_actors(launch):
    warm = next((event.pid for event in launch if event.kind == "exec" and event.comm == "warm"), None)
    if warm is None:
        raise Skip("the trace does not show `warm`: is too little of it kept?")
    # Who of the daemon's threads was woken by the request: the one that reads messages.
    warmd = next((event.pid for event in launch if event.comm == "warmd" and event.kind == "exit" and event.nr == RECVMSG
                  and event.value > 0), None)
    writer = next((event.pid for event in launch if event.kind == "enter" and event.nr in (WRITE, WRITEV) and event.value == 1
                   and not event.comm.startswith(("warm", "spawnbench"))), None)
    daemon_fd = next((event.value for event in launch if event.kind == "enter" and event.pid == warm and event.nr == CONNECT), None)
    return Actors(warm, warmd, writer, daemon_fd)


def summed(launches):
    """[(name, median us, p90 us, median of page faults)] of stages that at least half of the launches have; in order."""
    names = [name for name, _ in MOMENTS] + [each.name for each in launches[0][-3:]]
    found = []
    for name in names:
        some = [each for launch in launches for each in launch if each.name == name]
        if 2 * len(some) >= len(launches):
            us = [each.us for each in some]
            found.append((name, percentile(us, 50), percentile(us, 90), percentile([each.faults for each in some], 50)))
    return found


def table(stages):
    lines = [f"{'':<76}{'p50 us':>9}{'p90 us':>9}{'faults':>8}"]
    lines += [f"{name:<76}{p50:9.0f}{p90:9.0f}{faults:8.0f}" for name, p50, p90, faults in stages]
    lines.append(f"{'sum of the medians':<76}{sum(stage[1] for stage in stages):9.0f}")
    return lines


def run(run_, name):
    """name: APPLICATION-TIER, as the case. Prints the table; returns the stages."""
    application, tier = application_of(run_.bench, name)
    prepare, before = TIERS[tier](run_, application)
    prepare()
    launches = []
    for _ in range(run_.few if tier == "restore" else min(LAUNCHES, run_.pairs[BACK_TO_BACK])):
        before()
        bench = run_.bench
        with Trace([bench.spawner.child.pid, bench.daemon.pid, *descendants(bench.daemon.pid)]) as trace:
            times = run_.spawn(run_.warm(application))
            launches.append(cut(trace.events(), times, tier))
    stages = summed(launches)
    print(f"{name}, {len(launches)} launches")
    print("\n".join(table(stages)))
    return stages


def application_of(bench, name):
    makers = {"native": lambda: applications.native(bench, 4), "large": lambda: applications.native(bench, 1024),
              "django": lambda: applications.django(bench), "node": lambda: applications.node(bench),
              "jvm": lambda: applications.jvm(bench), "interp": applications.interpreter}
    application, _, tier = name.rpartition("-")
    if application not in makers or tier not in TIERS:
        raise Skip(f"{name}: can be profiled: {', '.join(makers)}, each with {', '.join('-' + tier for tier in TIERS)}")
    return makers[application](), tier


def hot(run_, application):
    pool = run_.hot(application)
    return (lambda: None), pool.wait


def template(run_, application):
    run_.hot(application)
    snapshot = run_.snapshot_of(application)

    def prepare():
        run_.bench.tell("pool", snapshot, "0")
        wait_until(lambda: not run_.bench.snapshot(snapshot)["standbys"], 20, "standbys do not go")

    return prepare, lambda: None


def restore(run_, application):
    run_.hot(application)
    teach(run_, application)
    return (lambda: None), lambda: restart(run_)


TIERS = {"hot": hot, "template": template, "restore": restore}
