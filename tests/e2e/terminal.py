# SPDX-License-Identifier: MIT
"""An interactive bash on a pseudo-terminal, as a person would sit before it."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import alive, descendants, kill_quietly, processes, wait_for

PROMPT = "ready>"


READS = ("0 0x0 ", "270 0x1 ")  # read(0, ...); pselect6(1, ...), as readline waits


def waits_for_input(name, argument, n=1):
    """Whether n programs of this name that have this argument are blocked waiting for standard input: Python and bash miss
    a Ctrl-C that comes between their last look and that wait, until the next key."""
    for pid, (_, comm) in processes().items():
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as cmdline:
                if not comm.startswith(name) or argument not in cmdline.read().split("\0"):
                    continue
            with open(f"/proc/{pid}/syscall", encoding="ascii") as call:
                n -= call.read().startswith(READS)
        except OSError:
            pass
    return n <= 0


class Shell:
    def __init__(self, env, cwd):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.closerange(3, 4096)  # what we inherited is nobody's business there
            os.chdir(cwd)
            shell_env = dict(env, PS1=PROMPT, TERM="xterm", HOME=cwd, HISTFILE="", INPUTRC="/dev/null")
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], shell_env)
        self.resize(24, 80)
        self.expect(PROMPT)
        self.run("stty -echo")  # what is typed shall not be mistaken for what was answered

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, seconds=10):
        """Reads until the regular expression matches; returns what came up to the end of the match."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.seen)
            if match:
                before, self.seen = self.seen[:match.end()], self.seen[match.end():]
                return before
            if time.monotonic() > end or not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"waited {seconds} s for {pattern!r}; the terminal shows {self.seen!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"the terminal closed before {pattern!r}; it showed {self.seen!r}")
            self.seen += data.decode(errors="replace")

    def run(self, command, seconds=20):
        """A command to its end; returns its output, carriage returns removed."""
        self.type(command + "\n")
        return self.expect(re.escape(PROMPT), seconds)[:-len(PROMPT)].replace("\r", "")

    def foreground(self):
        """Brings the current job to the foreground, and waits until the terminal is its."""
        self.type("fg\n")
        if not wait_for(lambda: os.tcgetpgrp(self.fd) != self.pid, 5):
            raise AssertionError("fg did not hand over the terminal")
        time.sleep(0.05)  # until the continue signal has arrived too

    def status(self):
        return int(self.run("echo $?").split()[-1])

    def close(self):
        family = descendants(self.pid)
        kill_quietly(self.pid, signal.SIGHUP)
        os.close(self.fd)
        for pid in family + [self.pid]:
            kill_quietly(pid, signal.SIGCONT)
            kill_quietly(pid)
        while alive(self.pid):
            time.sleep(0.01)
        os.waitpid(self.pid, 0)
