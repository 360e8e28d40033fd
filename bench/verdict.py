# SPDX-License-Identifier: MIT
"""Which rows of a run are worse than before by more than their noise: pure functions.

A row is compared with the same row of earlier runs on this kind of machine, the last EARLIER of those that were as long (quick
or not) and no busier. What is usual is their median. Its noise has two parts that add up as squares: how much runs
differ from each other (the spread of earlier runs about their median, by median distances: an outlier does not
count), and how sure this run is of its own median (its standard error, from the ranks beside the middle). No row is taken
to be quieter than FLOOR of its usual value. Worse is what is beyond the usual by more than SIGMAS times the noise. A row
without FEWEST earlier runs is not judged.
"""

import math

from figures import median, spread
from rows import judged_value

EARLIER = 20
FEWEST = 4
FLOOR = 0.02
SIGMAS = 3
BUSY = 1.0      # load of others when a run began, above which its figures say little


def comparable(run, runs):
    """Those of earlier runs that it may be compared with. A busy run is compared with busy ones, a quiet one with quiet ones."""
    return [other for other in runs if other is not run and other["date"] < run["date"] and other["quick"] == run["quick"]
            and (other["load"] > BUSY) == (run["load"] > BUSY)]


def noise(row, earlier):
    """Of this row, in its unit; earlier: judged values of the same row."""
    usual = median(earlier)
    return max(math.hypot(spread(earlier), row["error"]), FLOOR * abs(usual))


def verdicts(run, runs):
    """[(name, "worse" | "better" | "same", value, usual, noise)], and [names of rows that have too few earlier runs]."""
    judged, unknown = [], []
    others = comparable(run, runs)
    for name, row in run["rows"].items():
        earlier = [judged_value(other["rows"][name]) for other in others if name in other["rows"]][-EARLIER:]
        if len(earlier) < FEWEST:
            unknown.append(name)
            continue
        value, usual, around = judged_value(row), median(earlier), noise(row, earlier)
        more = value - usual if not row.get("more_is_better") else usual - value
        word = "worse" if more > SIGMAS * around else "better" if more < -SIGMAS * around else "same"
        judged.append((name, word, value, usual, around))
    return judged, unknown


def lines(run, runs):
    """What to tell, and whether a row is worse."""
    judged, unknown = verdicts(run, runs)
    told = [f"{word.upper() if word == 'worse' else word}: {name}: {value:.3g}, usually {usual:.3g} +- {around:.2g}"
            for name, word, value, usual, around in judged if word != "same"]
    told.append(f"{len(judged)} rows compared with up to {EARLIER} earlier runs on this kind of machine, "
                f"{len(unknown)} have fewer than {FEWEST}")
    return told, any(word == "worse" for _, word, *_ in judged)
