# SPDX-License-Identifier: MIT
"""CRIU, where there is one that works: the same application, dumped once it serves and restored for each launch."""

import os
import shutil
import subprocess
import time

from applications import Server
from errors import Failure
from harness import wait_until
from spawner import Program, Times

LIMIT_S = 20


def version():
    """(path, what it calls itself); (None, why there is none)."""
    path = shutil.which("criu")
    if not path:
        return None, "there is no criu on PATH"
    try:
        name = call(path, "--version").splitlines()[0]
        call(path, "check")
    except Failure as failure:
        return None, f"{path} does not work here: {failure}"
    return path, f"criu {name}"


def call(*argv):
    """What it prints. CRIU has been seen to hang."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(argv[:2])} did not end within {LIMIT_S} s") from None
    if done.returncode:
        raise Failure(f"{' '.join(argv[:2])}: {(done.stdout.strip().splitlines() or ['it failed'])[-1]}")
    return done.stdout


def dump(run, application):
    """An Image, or None, with a note that says why."""
    path, name = version()
    if path:
        try:
            image = Image(run, path, application)
        except Failure as failure:
            name = f"{name} cannot dump this: {failure}"
        else:
            run.note(f"{application.name}: {name} beside it")
            return image
    run.note(f"{application.name}: no CRIU beside it: {name}")
    return None


class Image:
    """Of the application as it waits for a request: over HTTP, or as a fork server."""

    def __init__(self, run, path, application):
        self.run, self.path = run, path
        self.folder = os.path.join(run.bench.scratch, f"{application.name}.criu")
        os.mkdir(self.folder)
        if isinstance(application, Server):
            argv, self.client = [*application.argv, "--stay"], None
            self.port, self.question = application.port, application.path
        else:
            self.socket = os.path.join(run.bench.scratch, f"{application.name}.criu.forks")
            argv = [*application.argv, "--serve", self.socket]
            client = os.path.join(run.bench.build, "bench", "forkclient")
            self.client = Program([client, self.socket, *application.request], stdin=application.stdin)
        self.pid = self.started(argv, application.env)
        try:
            call(path, "dump", "-t", str(self.pid), "-D", self.folder)
        finally:
            self.end()

    def started(self, argv, env):
        """In a session of its own, its descriptors files: nothing that is not its."""
        out = os.path.join(self.folder, "printed")
        with open(out, "wb") as file:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                                     env={**self.run.bench.environment, **env})
        self.run.bench.children.append(child)
        wait_until(lambda: os.path.getsize(out), 60, f"{argv[0]} is not ready")
        return child.pid

    def restore(self):
        """ready: `criu restore` has ended and the program runs; answer: a request sent then has its answer."""
        if self.client and os.path.exists(self.socket):
            os.unlink(self.socket)      # it binds it anew
        program = Program([self.path, "restore", "-d", "-D", self.folder])
        spawner = self.run.bench.spawner
        ready = spawner.spawn(program)
        if ready.status:
            raise Failure(f"{self.path} restore: wait status {ready.status}")
        try:
            answer = spawner.spawn(self.client).last if self.client else spawner.ask(self.port, self.question)
        finally:
            self.end()
        last = ready.reaped + answer
        return Times(ready.began, ready.reaped, last, last, 0, 1)

    def end(self):
        """The program, whoever is its parent by now."""
        for child in self.run.bench.children:
            if child.pid == self.pid and child.poll() is None:
                child.kill()
                child.wait()
                return
        if os.path.exists(f"/proc/{self.pid}"):
            os.kill(self.pid, 9)
            limit = time.monotonic() + 5
            while os.path.exists(f"/proc/{self.pid}") and time.monotonic() < limit:
                time.sleep(0.001)
