# SPDX-License-Identifier: MIT
"""When the functions of a serverless platform are called: a trace made up after published statistics. Pure functions.

The statistics are those of all applications of Azure Functions in two weeks of July 2019: M. Shahrad et al., "Serverless in the
Wild: Characterizing and Optimizing the Serverless Workload at a Large Cloud Provider", USENIX ATC 2020 (arXiv 2003.03423):

* Popularity is skewed over eight orders of magnitude: 45 % of the applications are called once an hour or less, 81 % once a minute
  or less, and the other 19 % get 99.6 % of all calls. A function's rate is read from that distribution at the middle of its
  share, straight between the known points of a logarithmic scale. Its upper end is cut at 600 calls an hour, as one small machine
  is to serve them all: the popular fifth gets nine calls of ten here, not 99.6 %, which is against Warm: what is
  called all the time is launched once.
* Times between the calls of one application: the coefficient of variation is about 0 for a fifth of them (timers), above 1 for some 40 %
  (bursts), and about that of a Poisson process for the rest. Here a burst is 2 to 8 calls within seconds, with exponential pauses.
* Execution times are log-normal, logarithms of seconds with mean -0.38 and standard deviation 2.36: half below 0.7 s. Cut at a minute.

All these times are divided by COMPRESSION, and so is how long an idle instance is kept (ten minutes: between the fixed times of the large
providers). Launches are not: they are what is measured.
"""

import collections
import math
import random

COMPRESSION = 60
HOUR_S = 3600
KEEP_ALIVE_S = 600 / COMPRESSION
RATES = ((0.0, 1 / 24), (0.45, 1.0), (0.81, 60.0), (1.0, 600.0))    # share of the applications: calls an hour up to which it has
PATTERNS = (("periodic", 0.2), ("poisson", 0.4), ("bursty", 0.4))
LOG_MEAN, LOG_DEVIATION = -0.38, 2.36
LONGEST_S = 60
BURST = (2, 8)          # calls
BURST_PAUSE_S = 2       # between the calls of a burst, on average

# rate: calls an hour, before compression.
Function = collections.namedtuple("Function", "name pattern rate")
# at_s: since the beginning; takes_s: by itself. Both compressed.
Call = collections.namedtuple("Call", "at_s function takes_s")


def functions(n, seed):
    """n functions with the published skew; which pattern has which rate is the seed's."""
    chance = random.Random(f"functions {seed}")
    patterns = quota(PATTERNS, n)
    chance.shuffle(patterns)
    return [Function(f"f{i:02}", pattern, rate((i + 0.5) / n)) for i, pattern in enumerate(patterns)]


def rate(share):
    """Calls an hour of the application that this share of all is not busier than."""
    for (low, slow), (high, fast) in zip(RATES, RATES[1:]):
        if share <= high:
            return slow * (fast / slow) ** ((share - low) / (high - low))
    return RATES[-1][1]


def quota(shares, n):
    """n names in these shares, to the nearest whole number that adds up."""
    names, given, sum_ = [], 0, 0.0
    for name, share in shares:
        sum_ += share
        names += [name] * (round(sum_ * n) - given)
        given = round(sum_ * n)
    return names


def trace(of, seconds, seed):
    """All calls of `seconds` of the compressed time, in their order."""
    calls = []
    for function in of:
        chance = random.Random(f"{function.name} {seed}")
        calls += [Call(at / COMPRESSION, function.name, takes(chance) / COMPRESSION)
                  for at in MAKERS[function.pattern](chance, function.rate / HOUR_S, seconds * COMPRESSION)]
    return sorted(calls)


def takes(chance):
    return min(math.exp(chance.gauss(LOG_MEAN, LOG_DEVIATION)), LONGEST_S)


def periodic(chance, per_s, until):
    at = chance.uniform(0, 1 / per_s)
    while at < until:
        yield at
        at += 1 / per_s


def poisson(chance, per_s, until):
    at = chance.expovariate(per_s)
    while at < until:
        yield at
        at += chance.expovariate(per_s)


def bursty(chance, per_s, until):
    for begins in poisson(chance, per_s / (sum(BURST) / 2), until):
        at = begins
        for _ in range(chance.randint(*BURST)):
            if at < until:
                yield at
            at += chance.expovariate(1 / BURST_PAUSE_S)


MAKERS = {"periodic": periodic, "poisson": poisson, "bursty": bursty}
