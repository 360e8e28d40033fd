# SPDX-License-Identifier: MIT
"""Runs of the past: a file for each kind of machine, one JSON line a run."""

import datetime
import json
import os
import re
import subprocess

from places import REPOSITORY

FOLDER = os.path.join(REPOSITORY, "bench", "history")
KEPT = ("unit", "n", "p50", "p90", "p99", "baseline", "ratio", "ratio_p99", "error", "more_is_better", "limit", "limit_p99", "reached")


def path_of(folder, kind):
    """kind: machine.machine(). Another kernel is another history: it is what most of a launch is spent in."""
    name = f"{kind['cpu']} {kind['cpus']}x {kind['memory_gib']}G {kind['kernel']}"
    return os.path.join(folder, re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") + ".jsonl")


def append(folder, kind, quick, load, rows):
    """Writes a run down, and returns it."""
    run = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": kind,
           **version(), "quick": quick, "load": load,
           "rows": {row["name"]: {key: row[key] for key in KEPT if key in row} for row in rows}}
    os.makedirs(folder, exist_ok=True)
    with open(path_of(folder, kind), "a", encoding="utf-8") as file:
        file.write(json.dumps(run, separators=(",", ":")) + "\n")
    return run


def read(folder, kind):
    """All runs on this kind of machine, the oldest first."""
    try:
        with open(path_of(folder, kind), encoding="utf-8") as file:
            runs = [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        return []
    return sorted(runs, key=lambda run: run["date"])    # a merge may have put them elsewhere


def version():
    """The commit, and whether something that is built differs from it."""
    commit = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/history", ":!docs")
    return {"commit": commit or "unknown", "dirty": changed is None or bool(changed)}


def git(*words):
    """What it says, None where it fails."""
    try:
        done = subprocess.run(["git", "-C", REPOSITORY, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
