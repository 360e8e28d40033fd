# SPDX-License-Identifier: MIT
"""Programs that are little more than their interpreter: with the hook, and without it in a pre-warmed one."""

import os
import shutil
import subprocess

import applications
from applications import Application
from errors import Skip
from harness import wait_until
from measuring import MODES
from places import PYTHON


def interp_hot(run):
    """hot: from posix_spawn of `warm exec` to the first byte of a Python script behind its hook, to /bin/true"""
    application = applications.interpreter()
    pool = run.hot(application)
    for mode in MODES:
        got = hot_pairs(run, f"interp-hot, {mode}", application, pool, mode)
        run.add(f"interp-hot, ready, {mode}", "us", [launch.first for launch in got["launch"]], got["true"])


def hot_pairs(run, name, application, pool, mode):
    since = run.bench.launches()
    got = run.rounds(mode, run.pairs[mode], pool.wait, true=run.true, launch=lambda: run.spawn(run.warm(application)))
    run.expect_tier(name, "hot", run.pairs[mode], since)
    run.note_short(name, pool)
    return got


def script_first_line(run, name, argv):
    """a script that knows nothing of Warm, in a pre-warmed interpreter: from posix_spawn of `warm exec` to its first line"""
    application = Application(name, argv, [])
    cold = [run.spawn(application.program()).first for _ in range(run.few)]
    pool = run.pool(application, prewarmed(run, application))
    for mode in MODES:
        got = hot_pairs(run, f"{name}, {mode}", application, pool, mode)
        run.add(f"{name}, {mode}", "us", [launch.first for launch in got["launch"]], got["true"])
    run.add(f"{name}, cold", "us", cold)


def prewarmed(run, application):
    """The id of the interpreter's snapshot that serves this program; taken now if there is none. There may be others, of the
    same interpreter on other kinds of standard streams."""
    explained = {}

    def served():
        explained.update(run.bench.explain(application.argv))
        return explained["snapshot"]

    wait_until(served, 30, "the interpreter was not snapshotted")
    return explained["snapshot"]


def script(run, name, text):
    path = os.path.join(run.bench.scratch, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def first_line(run):
    script_first_line(run, "script-first-line", [PYTHON, script(run, "script.py", "print('first line', flush=True)\n")])


def first_line_node(run):
    node = shutil.which("node")
    if not node or not os.path.exists(os.path.join(run.bench.build, "warm-node", "stop.cjs")):
        raise Skip("no node, or none of its headers when Warm was built")
    script_first_line(run, "script-first-line-node", [node, script(run, "script.js", "console.log('first line')\n")])


def first_line_java(run):
    java, javac = shutil.which("java"), shutil.which("javac")
    if not java or not javac or not os.path.exists(os.path.join(run.bench.build, "warm-java.so")):
        raise Skip("no JDK, or none when Warm was built")
    text = 'class Main { public static void main(String[] args) { System.out.println("first line"); } }\n'
    subprocess.run([javac, "-d", run.bench.scratch, script(run, "Main.java", text)], check=True)
    script_first_line(run, "script-first-line-java", [java, "-cp", run.bench.scratch, "Main"])


first_line.__doc__ = first_line_node.__doc__ = first_line_java.__doc__ = script_first_line.__doc__
