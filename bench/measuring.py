# SPDX-License-Identifier: MIT
"""How launches are measured: rounds of /bin/true and launches in one loop, each when all is quiet again."""

import time

from errors import Failure
from harness import POOL_S, Pool, wait_until
from places import TRUE
from rows import make_row, text_of
from spawner import Program

IDLE_S = 1.5
BACK_TO_BACK, ISOLATED = "back to back", "isolated"
MODES = (BACK_TO_BACK, ISOLATED)
LEARNING = 8    # launches that the daemon watches to learn what a request touches
TRIES = 10
STORED_S = 12


class Run:
    """One run of the benchmark: its daemon, how often each thing is done, what came out. few: to see whether all works, with no
    time to idle."""

    def __init__(self, bench, quick, few=None):
        self.bench = bench
        self.quick = quick
        self.pairs = {BACK_TO_BACK: few or (20 if quick else 200), ISOLATED: few or (3 if quick else 30)}
        self.idle_s = 0.05 if few else IDLE_S
        self.only_tries = bool(few)
        self.few = few or (2 if quick else 10)
        self.rows = []
        self.notes = []
        self.snapshots = {}
        self.learnt = {}        # {id of a snapshot: pid of the daemon that has seen it launched}

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
            since = self.bench.launches()["cold_start"]
            self.spawn(self.warm(application))
            # Else it was a copy of its interpreter, which has found out about the hook by now.
            if self.bench.launches()["cold_start"] > since:
                self.look_for_snapshot(name)
        raise Failure(f"{name}: no snapshot was taken in {TRIES} launches: see `warm exec --explain`")

    def look_for_snapshot(self, name):
        """Notes it once it is stored. On a busy machine the hook may have heard nothing from the daemon: then there is none."""
        def stored():
            rows = [row for row in self.bench.ask("ls") if row["name"] == name and row["state"] != "storing"]
            for row in rows:
                if row["state"] != "published":
                    raise Failure(f"snapshot {row['id']} of {name} is {row['state']}: {row['reason']}")
                self.snapshots[name] = row["id"]
            return rows

        limit = time.monotonic() + STORED_S
        while not stored() and time.monotonic() < limit:
            time.sleep(0.02)

    def forget(self, application):
        """Its snapshot, and the memory that this holds."""
        identity = self.snapshots.pop(application.name, None)
        if identity in {row["id"] for row in self.bench.ask("ls")}:     # else a file of its program has changed, and it went
            self.bench.tell("rm", identity)

    def forget_others(self, application):
        """Whoever's they are, and the standbys that they had."""
        kept = self.snapshot_of(application)
        for row in self.bench.ask("ls"):
            if row["id"] != kept:
                self.bench.tell("rm", row["id"])
        self.snapshots = {application.name: kept}

    # ---- loops ----

    def rounds(self, mode, n, before, **members):
        """Runs each member n times, in turn; before: is called before each. Returns {name: [what it returned]}."""
        results = {name: [] for name in members}
        for _ in range(n):
            for name, member in members.items():
                before()
                if mode == ISOLATED and name != "own":      # 20 requests in a row are not isolated
                    time.sleep(self.idle_s)
                results[name].append(member())
        return results

    def hot(self, application):
        """A pool that is as full as it gets; the daemon knows what a request touches."""
        return self.pool(application, self.snapshot_of(application))

    def pool(self, application, snapshot):
        """The same of a snapshot that serves it, whosever it is."""
        for _ in range(LEARNING if self.learnt.get(snapshot) != self.bench.daemon.pid else 1):
            self.spawn(self.warm(application))
            wait_until(lambda: self.bench.snapshot(snapshot)["standbys"], 20, f"{application.name}: no standby")
            self.bench.wait_for_learning(snapshot)
        self.learnt[snapshot] = self.bench.daemon.pid
        return Pool(self.bench, snapshot)

    def expect_tier(self, name, tier, launches, since):
        """Says so if not all of these launches were served so."""
        n = self.bench.launches()[tier] - since[tier]
        if n != launches:
            self.note(f"{name}: {n} of {launches} launches were {tier}")

    def note_short(self, name, pool):
        if pool.short:
            self.note(f"{name}: the pool was not full again within {POOL_S} s, {pool.short} times")


def checked(program, times):
    if times.status or not times.bytes and program.argv != [TRUE]:
        raise Failure(f"{' '.join(program.argv)}: wait status {times.status}, {times.bytes} bytes printed")
    return times
