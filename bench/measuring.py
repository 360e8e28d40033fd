# SPDX-License-Identifier: MIT
"""How launches are measured: rounds of /bin/true and launches in one loop, each when all is quiet again."""

import time

from errors import Failure
from harness import Pool, wait_until
from places import TRUE
from rows import make_row, text_of
from spawner import Program

IDLE_S = 1.5
BACK_TO_BACK, ISOLATED = "back to back", "isolated"
MODES = (BACK_TO_BACK, ISOLATED)
LEARNING = 8    # launches that the daemon watches to learn what a request touches
TRIES = 3


class Run:
    """One run of the benchmark: its daemon, how often each thing is done, what came out. few: to see whether all works, with no
    time to idle."""

    def __init__(self, bench, quick, few=None):
        self.bench = bench
        self.quick = quick
        self.pairs = {BACK_TO_BACK: few or (30 if quick else 200), ISOLATED: few or (4 if quick else 40)}
        self.idle_s = 0.05 if few else IDLE_S
        self.few = few or (3 if quick else 10)
        self.rows = []
        self.notes = []
        self.snapshots = {}

    # ---- what comes out ----

    def add(self, name, unit, values, baseline=None, **how):
        row = make_row(name, unit, values, baseline, **how)
        self.rows.append(row)
        print(text_of(row), flush=True)
        return row

    def note(self, text):
        self.notes.append(text)
        print(f"    {text}", flush=True)

    # ---- programs ----

    def spawn(self, program):
        return checked(program, self.bench.spawner.spawn(program))

    def true(self):
        return self.spawn(Program([TRUE])).reaped

    def warm(self, application):
        """One launch by `warm exec`."""
        return application.program(self.bench.exec("--name", application.name, "--"))

    def snapshot_of(self, application):
        """The id of the snapshot of this application; taken now if there is none."""
        name = application.name
        for _ in range(TRIES):
            if name in self.snapshots:
                return self.snapshots[name]
            self.spawn(self.warm(application))      # may be a copy of its interpreter, which finds out about the hook
            self.wait_for_snapshot(name)
        raise Failure(f"{name}: no snapshot was taken in {TRIES} launches: see `warm exec --explain`")

    def wait_for_snapshot(self, name, seconds=120):
        def rows():
            return [row for row in self.bench.ask("ls") if row["name"] == name]

        limit = time.monotonic() + 1
        while not rows() and time.monotonic() < limit:
            time.sleep(0.02)
        wait_until(lambda: all(row["state"] != "storing" for row in rows()), seconds, f"{name} is not stored")
        for row in rows():
            if row["state"] == "published":
                self.snapshots[name] = row["id"]
            else:
                raise Failure(f"snapshot {row['id']} of {name} is {row['state']}: {row['reason']}")

    def forget(self, *applications):
        """Their snapshots, and the memory that these hold."""
        for application in applications:
            if application.name in self.snapshots:
                self.bench.tell("rm", self.snapshots.pop(application.name))

    def forget_others(self, application):
        for name in [name for name in self.snapshots if name != application.name]:
            self.bench.tell("rm", self.snapshots.pop(name))

    # ---- loops ----

    def rounds(self, mode, n, before, **members):
        """Runs each member n times, in turn; before: is called before each. Returns {name: [what it returned]}."""
        results = {name: [] for name in members}
        for _ in range(n):
            for name, member in members.items():
                before()
                if mode == ISOLATED:
                    time.sleep(self.idle_s)
                results[name].append(member())
        return results

    def hot(self, application):
        """A pool that is as full as it gets; the daemon knows what a request touches."""
        snapshot = self.snapshot_of(application)
        for _ in range(LEARNING):
            self.spawn(self.warm(application))
            wait_until(lambda: self.bench.snapshot(snapshot)["standbys"], 20, f"{application.name}: no standby")
        return Pool(self.bench, snapshot)

    def expect_tier(self, name, tier, launches, since):
        """Says so if not all of these launches were served so."""
        n = self.bench.launches()[tier] - since[tier]
        if n != launches:
            self.note(f"{name}: {n} of {launches} launches were {tier}")

    def note_short(self, name, pool):
        if pool.short:
            self.note(f"{name}: the pool was not full again within 2 s, {pool.short} times")


def checked(program, times):
    if times.status or not times.bytes and program.argv != [TRUE]:
        raise Failure(f"{' '.join(program.argv)}: wait status {times.status}, {times.bytes} bytes printed")
    return times
