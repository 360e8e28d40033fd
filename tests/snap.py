# SPDX-License-Identifier: MIT
"""warm-snap by hand, on any process."""
import os
import socket
import struct
import subprocess

import harness

REPORT = struct.Struct("<IIiiq240s")
FAILED, CAPTURED, RELEASED = 1, 3, 12


class Snap:
    """One run of warm-snap; its reports as a list."""

    def __init__(self, pid, *more, env=None, keep=()):
        self.fds = [os.memfd_create(name) for name in ("meta", "summary", "pages")]
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        meta, summary, pages = self.fds
        self.process = subprocess.Popen(
            [os.path.join(harness.BUILD, "warm-snap"), "--pid", str(pid), "--report", str(theirs.fileno()), "--meta", str(meta),
             "--summary", str(summary), "--pages", str(pages), *more], pass_fds=[theirs.fileno(), *self.fds, *keep],
            env=dict(os.environ, **(env or {})))
        theirs.close()

    def reports(self):
        found = []
        while True:
            data = self.ours.recv(4096)
            if not data:
                break
            _, kind, _, err, _, text = REPORT.unpack(data)
            found.append((kind, err, text.split(b"\0")[0].decode()))
        self.process.wait(10)
        self.summary = os.pread(self.fds[1], 1 << 20, 0)    # rpc.proto
        for fd in self.fds:
            os.close(fd)
        self.ours.close()
        return found


def tracer(pid):
    """0: nobody traces it."""
    with open(f"/proc/{pid}/status") as status:
        return int(status.read().split("TracerPid:")[1].split()[0])


def traced(pid):
    return tracer(pid) != 0


def state(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]
