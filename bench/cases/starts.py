# SPDX-License-Identifier: MIT
"""Cold starts, what each runtime offers by itself, CRIU, and Warm, in one loop."""

import applications
import criu
import tricks
from measuring import BACK_TO_BACK


def start(run, name, application, **others):
    """from posix_spawn to the first byte (ready) and to the last byte of the first answer: a start without Warm, the runtime's
    own trick where it has one, CRIU where it works, and a hot launch, all to /bin/true"""
    pool = run.hot(application)
    programs = {"cold": application.program(), **others, "hot": run.warm(application)}
    members = {key: lambda program=program: run.spawn(program) for key, program in programs.items()}
    image = criu.dump(run, application)
    if image:
        members["criu"] = image.restore
    run.spawn(programs["cold"])     # the disk is read, byte code is written
    got = run.rounds(BACK_TO_BACK, run.few, pool.wait, true=run.true, **members)
    for key in members:
        what = key.replace("_", " ")
        run.add(f"{name}, {what}, ready", "us", [launch.first for launch in got[key]], got["true"])
        run.add(f"{name}, {what}, answer", "us", [launch.last for launch in got[key]], got["true"])


def native(run):
    application = applications.native(run.bench, 4)
    start(run, "native-start", application, fork_server=tricks.fork_server(run, application))


def large(run):
    application = applications.native(run.bench, 1024)
    start(run, "large-start", application, fork_server=tricks.fork_server(run, application))
    run.forget(application)


def django(run):
    application = applications.django(run.bench)
    start(run, "django-start", application, fork_server=tricks.fork_server(run, application))


def node(run):
    start(run, "node-start", applications.node(run.bench), startup_snapshot=tricks.startup_snapshot(run))


def jvm(run):
    start(run, "jvm-start", applications.jvm(run.bench), class_data_sharing=tricks.class_data_sharing(run))


for case in (native, large, django, node, jvm):
    case.__doc__ = start.__doc__
