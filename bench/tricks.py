# SPDX-License-Identifier: MIT
"""What runtimes offer by themselves to start faster, made ready for one application."""

import os
import subprocess

import applications
from errors import Failure
from places import APPS
from spawner import Program


def fork_server(run, application):
    """A preloaded fork server; what is launched is a client of it."""
    client = application.fork_server(run.bench)
    return Program([*client, *application.request], stdin=application.stdin)


def class_data_sharing(run):
    """An archive of the classes that one run has loaded, and the handler compiled beforehand: what a person would do who wants
    this server up fast."""
    bench = run.bench
    classes, archive = os.path.join(bench.scratch, "handler"), os.path.join(bench.scratch, "classes.jsa")
    make("javac", "-d", classes, os.path.join(APPS, "jvm", "Report.java"))
    run.spawn(applications.jvm(bench, f"-Dhandler={classes}", f"-XX:ArchiveClassesAtExit={archive}").program())
    if not os.path.exists(archive):
        raise Failure(f"java wrote no {archive}")
    return applications.jvm(bench, f"-Dhandler={classes}", f"-XX:SharedArchiveFile={archive}").program()


def startup_snapshot(run):
    """Node's, with TypeScript in it (bench/apps/node/snapshot.js)."""
    bench = run.bench
    blob = os.path.join(bench.scratch, "node.blob")
    node = applications.node(bench).argv[0]
    make(node, "--snapshot-blob", blob, "--build-snapshot", os.path.join(bench.build, "bench", "node", "snapshot.js"))
    return applications.node(bench, "--snapshot-blob", blob).program()


def make(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(argv)}: {done.stdout.strip()[-500:]}")
