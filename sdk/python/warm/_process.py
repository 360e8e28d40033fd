# SPDX-License-Identifier: MIT
"""Making the interpreter agree with the launch. The kernel's side - descriptors 0 1 2, the working directory - is the
launch's before ready() returns; this is the side that Python keeps itself."""

import gc
import io
import os
import sys
import time


class Process:
    def __init__(self, argv, env):
        self.argv_declared = bool(argv)
        self.names = [os.fsencode(name) for name in env]
        self.original = original_argv()
        self.fixed_args = max(1, len(self.original) - len(sys.argv) + 1)
        self.frozen = False
        # Made before the freeze, as all that can be: each page that a copy writes to has to be copied first.
        self.stdin = None
        self.present = []

    def settle(self):
        """Before the freeze: what was printed is printed once, by the original; and the garbage collector forgets what
        there is, because looking through it would write to every page of every copy."""
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                pass
        rehearse()
        self.stdin = new_input()
        self.present = [name for name in os.environb if self.is_named(name)]
        if gc.get_freeze_count() == 0:
            gc.freeze()
            self.frozen = True

    def unsettle(self):
        """In the original only: a copy's first full collection would look through everything that there is."""
        if self.frozen:
            gc.unfreeze()

    def become(self, answer):
        """In a copy: argv, environment, streams and random generators."""
        if self.argv_declared and answer.argv:      # none in the answer: the same as ours
            self.set_argv(self.own_arguments(answer))
        if answer.env_change:
            change_environment(answer.env_change)
        if self.names:
            self.set_environment(answer.env)
        self.set_input()
        reseed()

    def own_arguments(self, answer):
        """What the launch has behind the interpreter's part of its command line. Where the daemon does not say how long
        that is, it must be our own."""
        fixed = answer.fixed_args or self.fixed_args
        same = [os.fsdecode(argument) for argument in answer.argv[:fixed]] == self.original[:fixed]
        if len(answer.argv) < fixed or not (answer.fixed_args or same):
            raise ValueError("the launch's command line is another one than this process's")
        return answer.argv[fixed:]

    def set_argv(self, arguments):
        """What comes before the program's own arguments - interpreter, options, script - stays as it was."""
        arguments = [os.fsdecode(argument) for argument in arguments]
        sys.argv = sys.argv[:1] + arguments
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = self.original[:self.fixed_args] + arguments

    def set_environment(self, env):
        for name in self.present:
            del os.environb[name]
        for assignment in env:
            name, equals, value = assignment.partition(b"=")
            if name and equals and self.is_named(name):
                os.environb[name] = value
        if self.is_named(b"TZ"):
            time.tzset()

    def set_input(self):
        """What standard input had read ahead is not the launch's. Standard output and standard error are empty since
        settle(), and their descriptors are of the same kind as before."""
        if self.stdin:
            if sys.__stdin__ is sys.stdin:
                sys.__stdin__ = self.stdin
            sys.stdin = self.stdin

    def is_named(self, name):
        for pattern in self.names:
            if name == pattern or (pattern.endswith(b"*") and name.startswith(pattern[:-1])):
                return True
        return False


def change_environment(changes):
    """Variables that no key looks at: NAME=VALUE, or NAME where the launch has none."""
    for change in changes:
        name, equals, value = change.partition(b"=")
        if equals:
            os.environb[name] = value
        else:
            os.environb.pop(name, None)


def original_argv():
    """The interpreter's own command line: `python3 -m NAME ARG` has two elements that sys.argv has not."""
    if hasattr(sys, "orig_argv"):       # 3.10
        return list(sys.orig_argv)
    with open("/proc/self/cmdline", "rb") as file:
        return [os.fsdecode(arg) for arg in file.read().split(b"\0")[:-1]]


def new_input():
    """A standard input that has read nothing ahead, or None where there is none or the program has made its own."""
    old = sys.stdin
    if not isinstance(old, io.TextIOWrapper):
        return None
    try:
        if old.fileno() != 0:
            return None
        raw = io.FileIO(0, "r", closefd=False)
        raw.name = old.name
        new = io.TextIOWrapper(io.BufferedReader(raw), encoding=old.encoding, errors=old.errors,
                               line_buffering=old.line_buffering)
        new.mode = "r"
        return new
    except (OSError, ValueError):
        return None                     # closed


def reseed():
    """Two copies must not draw the same numbers. os.urandom, secrets and uuid4 ask the kernel each time; what else
    there is is reseeded if it is loaded."""
    loaded = sys.modules.get
    random = loaded("random")
    if random:
        random.seed()
    numpy_random = loaded("numpy.random")
    if numpy_random:
        reseed_numpy(numpy_random)
    tempfile = loaded("tempfile")
    if tempfile:
        tempfile._name_sequence = None
    stir_openssl()


def rehearse():
    """Before the freeze, without touching a generator of the program: what OpenSSL and numpy do at the first call only
    would otherwise be done by every copy."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random:
        reseed_numpy(numpy_random.RandomState())
    stir_openssl()


def reseed_numpy(generator):
    """The whole state of the Mersenne twister, from the kernel: seed() hashes its way to one in twice the time."""
    state = sys.modules["numpy"].frombuffer(os.urandom(4 * 624), dtype="uint32")
    generator.set_state(("MT19937", state, 624))


def stir_openssl():
    """OpenSSL notices a fork by the process id, and a copy has the original's."""
    ssl = sys.modules.get("_ssl")
    if ssl:
        ssl.RAND_add(os.urandom(32), 32.0)
