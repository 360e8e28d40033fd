# SPDX-License-Identifier: MIT
"""Many launches at once, and one after another without a pause."""

import applications
import tricks
from errors import Failure
from measuring import BACK_TO_BACK


def burst(run):
    """1, 10 and 100 Django launches at once: from the first posix_spawn to each one's last byte of its answer, to /bin/true;
    failed: ended otherwise than with 0, or printed something else than the others"""
    for n in (1, 10, 100):
        burst_of(run, n, max(1, run.few // 2))


def burst_1000(run):
    """1,000 Django launches at once, as the case burst"""
    burst_of(run, 1000, 1)


def burst_of(run, n, times):
    application = applications.django(run.bench)
    pool = run.hot(application)
    since = run.bench.launches()
    got = run.rounds(BACK_TO_BACK, times, pool.wait, true=run.true,
                     burst=lambda: run.bench.spawner.burst(n, run.warm(application)))
    now = run.bench.launches()
    name = f"burst of {n}"
    run.add(f"{name}, the last answer", "us", [max(each.lasts) for each in got["burst"]], got["true"])
    run.add(f"{name}, the one in the middle", "us", [sorted(each.lasts)[n // 2] for each in got["burst"]], got["true"])
    run.add(f"{name}, failed", "", [each.failed for each in got["burst"]])
    served = {tier: now[tier] - since[tier] for tier in now if now[tier] != since[tier]}
    unseen = n * times - sum(served.values())
    run.note(f"{name}: " + ", ".join(f"{tier} {count}" for tier, count in served.items()) +
             (f"; {unseen} did not wait for the daemon and started cold" if unseen else ""))


def rate(run):
    """launches of Django one after another, each when the one before is reaped, per second; by `warm exec`, and by a client of
    a fork server that has the application loaded"""
    application = applications.django(run.bench)
    pool = run.hot(application)
    forked = tricks.fork_server(run, application)
    seconds, times = (2, 1) if run.quick else (10, 3)

    def per_second(program):
        rate_of = run.bench.spawner.rate(seconds, program)
        if rate_of.failed:
            raise Failure(f"{' '.join(program.argv)}: {rate_of.failed} of {rate_of.launches} launches failed")
        return rate_of.per_second

    got = run.rounds(BACK_TO_BACK, times, pool.wait, forked=lambda: per_second(forked),
                     warm=lambda: per_second(run.warm(application)))
    run.add("rate, launches, against the fork server", "1/s", got["warm"], got["forked"], more_is_better=True)
