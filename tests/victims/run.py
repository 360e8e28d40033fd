#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes each victim through its snapshot: the original goes on correctly, then three concurrent clones do.

    run.py [--repeat N] [--clones N] [NAME...]

What is special about a victim stands in its source after "victim:" (victim.h has the list).
"""
import argparse
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import harness  # noqa: E402  (the path has to be there first)

NOBODY = 65534


class Victim:
    def __init__(self, name):
        self.name = name
        self.path = os.path.join(harness.BUILD, "tests", "victims", name)
        with open(os.path.join(HERE, name + ".c"), encoding="utf-8") as source:
            head = source.read(1000)
        match = re.search(r"victim: ([^*]*?)\s*\*/", head)
        words = (match.group(1) if match else "").split()
        self.alone = "alone" in words
        self.once = "once" in words
        self.as_nobody = "as-nobody" in words
        self.refused = words[words.index("refused") + 1] if "refused" in words else None
        self.may_refuse = words[words.index("may-refuse") + 1] if "may-refuse" in words else None


class Wrong(Exception):
    """What a victim did wrong."""


class Skipped(Exception):
    """Why a victim cannot be run here."""


def expect_pass(result, who):
    if result.code == 77:
        raise Skipped(result.out.strip())
    if result.code != 0 or result.out != "PASS\n":
        raise Wrong(f"{who}: exit {result.code}, said {result.out.strip()!r} {result.err.strip()[-400:]!r}")


def launcher(daemon, victim, workdir):
    keywords = {"cwd": workdir}
    if victim.as_nobody and os.geteuid() == 0:
        keywords.update(user=NOBODY, group=NOBODY, extra_groups=[])

    def launch(*options):
        return daemon.popen(victim.path, options=("--explain", *options), **keywords)
    return launch


def why_not(daemon, again, log_from):
    """Everything that was said about this victim's missing snapshot, and nothing of what was said about others."""
    said = [line for line in daemon.log()[log_from:].splitlines() if "no snapshot" in line]
    return " | ".join([again.reason or ""] + said)


def publish(daemon, victim, launch, log_from):
    """Waits for the snapshot that the first launch made. Returns its row, or None where it was refused as expected."""
    def row():
        for found in daemon.ls():
            if found["command"][:1] == [victim.path] and found["state"] != "storing":
                return found
        return None
    wanted = victim.refused or victim.may_refuse
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        found = row()
        if found and found["state"] == "published" and found["standbys"]:
            if victim.refused:
                raise Wrong(f"a snapshot was published; it should have been refused, naming {victim.refused!r}")
            return found
        if found and found["state"] == "quarantined":
            raise Wrong(f"quarantined: {found['reason']}")
        if not found and (wanted or time.monotonic() > deadline - 12):
            again = harness.finish(launch("--require") if not wanted else launch())
            if wanted:
                expect_pass(again, "second launch")
            reason = why_not(daemon, again, log_from).replace(victim.path, "").replace(victim.name, "")  # a path is no reason
            if wanted and wanted.lower() in reason.lower():
                return None
            if not wanted and again.code == 125 and row() is None:
                raise Wrong(f"no snapshot: {again.err.strip()[-500:]} {daemon.log()[-500:]}")
        time.sleep(0.05)
    again = harness.finish(launch())
    raise Wrong(f"no snapshot within 15 s: {again.reason}; cache {row()}; log {daemon.log()[-600:]}")


def take_through(daemon, victim, n_clones):
    workdir = os.path.join(daemon.dir, "work", victim.name)
    os.makedirs(workdir, exist_ok=True)
    if victim.as_nobody and os.geteuid() == 0:
        os.chown(workdir, NOBODY, NOBODY)
    launch = launcher(daemon, victim, workdir)
    log_from = len(daemon.log())
    first = harness.finish(launch())
    if victim.as_nobody and first.code in (125, 126, 127):
        raise Skipped(f"uid {NOBODY} cannot reach the build directory")
    expect_pass(first, "original")
    row = publish(daemon, victim, launch, log_from)
    if row is None:
        return "refused by name"
    tiers = []
    batches = [1] if victim.once else [1] * n_clones if victim.alone else [n_clones]
    for size in batches:
        for result in [harness.finish(process) for process in [launch("--require") for _ in range(size)]]:
            expect_pass(result, f"clone ({result.tier}, {result.reason})")
            if result.tier not in harness.CLONE_TIERS:
                raise Wrong(f"tier {result.tier}: {result.reason}")
            tiers.append(result.tier)
        if victim.alone:
            daemon.full_pool()
    daemon.warm("rm", row["id"])
    return " ".join(tiers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--clones", type=int, default=3)
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    names = args.name or sorted(f[:-2] for f in os.listdir(HERE) if f.endswith(".c"))
    passed = failed = skipped = 0
    harness.end_politely()
    daemon = harness.Daemon()
    os.chmod(daemon.dir, 0o755)
    os.mkdir(os.path.join(daemon.dir, "work"), 0o755)
    try:
        daemon.start()
        os.chmod(daemon.socket, 0o666)
        for name in names * args.repeat:
            began = time.monotonic()
            try:
                outcome = take_through(daemon, Victim(name), args.clones)
                verdict, passed = "ok  ", passed + 1
            except Skipped as why:
                outcome, verdict, skipped = str(why), "SKIP", skipped + 1
            except (Wrong, AssertionError, RuntimeError, ValueError, OSError) as why:
                outcome, verdict, failed = str(why), "FAIL", failed + 1
            print(f"{verdict} {name:18} {time.monotonic() - began:5.2f} s  {outcome}", flush=True)
            if daemon.process.poll() is not None:
                print(f"FAIL warmd ended with {daemon.process.returncode}:\n{daemon.log()[-2000:]}")
                failed += 1
                daemon.start()
                os.chmod(daemon.socket, 0o666)
    finally:
        daemon.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
