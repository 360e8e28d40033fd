# SPDX-License-Identifier: MIT
"""How long an application stands still while its snapshot is taken (`stopped_us` of `warm show`)."""

import os

import applications
from applications import Application
from figures import median


def stopped(run, name, application, times=None):
    """from the first thread's stop until the last one runs on, as `warm show` says"""
    values = []
    run.forget(application)
    for _ in range(times or run.few):
        shown = run.bench.ask("show", run.snapshot_of(application))
        values.append((shown[0] if isinstance(shown, list) else shown)["stopped_us"] / 1000)
        run.forget(application)
    run.add(name, "ms", values)
    return values


def native(run):
    stopped(run, "native-stopped, 256 MiB", applications.native(run.bench, 256))


def django(run):
    stopped(run, "django-stopped", applications.django(run.bench))


def jvm(run):
    stopped(run, "jvm-stopped", applications.jvm(run.bench))


def scaling(run):
    """how the time that an application is stopped in its snapshot grows with threads, areas and descriptors (bench/apps/crowd.c)"""
    crowds = [*((f"{n} threads", (n, 0, 0)) for n in (1, 10, 30, 100, 300)),
              *((f"{n} areas", (1, n, 0)) for n in (100, 1000, 10000)),
              *((f"{n} descriptors", (1, 0, n)) for n in (10, 100, 1000))]
    times = min(run.few, 7)
    values = {}
    for name, sizes in crowds:
        program = [os.path.join(run.bench.build, "bench", "crowd"), *map(str, sizes)]
        values[name] = stopped(run, f"stopped, {name}", Application(name, program, []), times)
    run.add("stopped, 300 threads, against 10", "ms", values["300 threads"], [median(values["10 threads"])] * times)


for case in (native, django, jvm):
    case.__doc__ = "time that the application is stopped in its snapshot: " + stopped.__doc__
