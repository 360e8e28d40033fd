#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes each victim through its snapshot: the original goes on correctly, then three concurrent clones do.

    run.py [--repeat N] [--clones N] [--disk] [NAME...]

With --disk no memory is allowed for templates: each clone is one from disk.

What is special about a victim stands in its source after "victim:" (victim.h has the list).
"""
import argparse
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import harness  # noqa: E402  (the path has to be there first)
import untouched  # noqa: E402
from refusals import NOT_HERE, refusal, victim_marks, victim_refused  # noqa: E402

NOBODY = 65534


class Victim:
    def __init__(self, name):
        self.name = name
        self.path = os.path.join(harness.BUILD, "tests", "victims", name)
        with open(os.path.join(HERE, name + ".c"), encoding="utf-8") as source:
            marks = victim_marks(source.read())
        words = marks.split()
        self.alone = "alone" in words
        self.once = "once" in words
        self.as_nobody = "as-nobody" in words
        self.refused = victim_refused(marks)


class Wrong(Exception):
    """What a victim did wrong."""


class Skipped(Exception):
    """Why a victim cannot be run here."""


def expect_pass(result, who):
    if result.code == 77:
        raise Skipped(result.out.strip())
    if result.code != 0 or result.out != "PASS\n":
        raise Wrong(f"{who}: exit {result.code}, said {result.out.strip()!r} {result.err.strip()[-400:]!r}")


def be_refused(victim, launch, workdir, **keywords):
    """By warm-snap, with the oracle looking; and by warmd, whose reason is the next launch's."""
    program = untouched.InTheHook([victim.path], workdir, **keywords)
    try:
        said = untouched.refused(program.process.pid, refusal(victim.refused), *program.options) if program.connection else None
        expect_pass(harness.Result(*program.go_on(), ""), "refused by warm-snap")
    finally:
        program.end()
    for who in ("first launch", "second launch"):
        last = harness.finish(launch())
        expect_pass(last, who)
    if not said or not refusal(victim.refused).search(last.reason or ""):
        raise Wrong(f"the second launch was to name {victim.refused!r}: {last.reason!r}")
    return "refused by name: " + said


def publish(daemon, victim, launch):
    """Waits for the snapshot that the first launch made, and returns its row."""
    def row():
        for found in daemon.ls():
            if found["command"][:1] == [victim.path] and found["state"] != "storing":
                return found
        return None
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        found = row()
        if found and found["state"] == "published" and (found["standbys"] or daemon.from_disk):
            return found
        if found and found["state"] == "quarantined":
            raise Wrong(f"quarantined: {found['reason']}")
        if not found and time.monotonic() > deadline - 12:
            again = harness.finish(launch("--require"))
            if again.code == 125 and row() is None:
                raise Wrong(f"no snapshot: {again.err.strip()[-500:]} {daemon.log()[-500:]}")
        time.sleep(0.05)
    again = harness.finish(launch())
    raise Wrong(f"no snapshot within 15 s: {again.reason}; cache {row()}; log {daemon.log()[-600:]}")


def take_through(daemon, victim, n_clones):
    workdir = os.path.join(daemon.dir, "work", victim.name)
    os.makedirs(workdir, exist_ok=True)
    user = {}
    if victim.as_nobody and os.geteuid() == 0:
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chown(workdir, NOBODY, NOBODY)

    def launch(*options):
        return daemon.popen(victim.path, options=("--explain", *options), cwd=workdir, **user)
    if victim.refused:
        return be_refused(victim, launch, workdir, **user)
    first = harness.finish(launch())
    if victim.as_nobody and first.code in (125, 126, 127):
        raise Skipped(f"uid {NOBODY} cannot reach the build directory")
    expect_pass(first, "original")
    row = publish(daemon, victim, launch)
    tiers = []
    batches = [1] if victim.once else [1] * n_clones if victim.alone else [n_clones]
    for size in batches:
        for result in [harness.finish(process) for process in [launch("--require") for _ in range(size)]]:
            expect_pass(result, f"clone ({result.tier}, {result.reason})")
            if result.tier not in (["cold_restore"] if daemon.from_disk else harness.CLONE_TIERS):
                raise Wrong(f"tier {result.tier}: {result.reason}")
            tiers.append(result.tier)
        if victim.alone and not daemon.from_disk:
            daemon.full_pool()
    daemon.warm("rm", row["id"])
    return " ".join(tiers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--clones", type=int, default=3)
    parser.add_argument("--disk", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    names = args.name or sorted(f[:-2] for f in os.listdir(HERE) if f.endswith(".c"))
    passed = failed = skipped = 0
    for words, why in NOT_HERE.items() if not args.name else ():
        print(f"SKIP refusal {words!r}: {why}")
        skipped += 1
    harness.end_politely()
    os.environ.setdefault("WARM_FORK", "always")    # small as they are
    os.environ.setdefault("WARM_HUGE", "always")
    daemon = harness.Daemon(from_disk=args.disk)
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
