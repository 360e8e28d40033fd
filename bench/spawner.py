# SPDX-License-Identifier: MIT
"""A process that starts programs and times them (bench/spawnbench): its requests and answers."""

import collections
import os
import subprocess

from errors import Failure

# Microseconds from posix_spawn, but began: CLOCK_MONOTONIC, nanoseconds.
Times = collections.namedtuple("Times", "began first last reaped status bytes")
Burst = collections.namedtuple("Burst", "reaped failed lasts")
Rate = collections.namedtuple("Rate", "per_second launches failed")
Program = collections.namedtuple("Program", "argv cwd stdin out env port path", defaults=["", "", "", {}, 0, ""])


class Spawner:
    def __init__(self, build, environment, errors, cgroups=()):
        """cgroups: folders of the control groups that it, and so what it starts, belongs to."""
        with open(errors, "ab") as file:
            self.child = subprocess.Popen([os.path.join(build, "bench", "spawnbench")], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=file, env=environment,
                                          preexec_fn=lambda: join(cgroups))

    def request(self, *fields):
        answer = b""
        try:
            self.child.stdin.write("\t".join(fields).encode() + b"\n")
            self.child.stdin.flush()
            answer = self.child.stdout.readline().split()
        except BrokenPipeError:
            pass
        if not answer:
            raise Failure(f"spawnbench ended while it ran {' '.join(fields[-6:])}")
        return [float(word) if b"." in word else int(word) for word in answer]

    def spawn(self, program):
        return Times(*self.request("spawn", *fields(program)))

    def burst(self, n, program):
        reaped, failed, *lasts = self.request("burst", str(n), *fields(program))
        return Burst(reaped, failed, lasts)

    def rate(self, seconds, program):
        took, launches, failed = self.request("rate", str(seconds), *fields(program))
        return Rate(launches / took * 1e6, launches, failed)

    def ask(self, port, path):
        """Microseconds that a running HTTP server takes for one request."""
        return self.request("ask", str(port), path)[0]


def join(cgroups):
    for path in cgroups:
        with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))


def fields(program):
    settings = [f"{name}={value}" for name, value in program.env.items()]
    return [program.cwd, program.stdin, program.out, str(program.port), program.path, str(len(settings)), *settings,
            *program.argv]
