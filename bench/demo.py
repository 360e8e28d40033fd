# SPDX-License-Identifier: MIT
"""`make demo`: a Django application with numpy and pandas, started cold and started warm.

Every warm launch has its own arguments, environment variable, working directory and standard input, and must print
what a cold run of the same command prints. Ends with status 1 if one does not, or if one was not served by a standby.
"""

import os
import sys

import machine
from errors import Failure
from figures import percentile
from harness import Bench, Pool, wait_until
from places import APPS, PYTHON, TRUE
from processes import memory

COLD_STARTS = 5
LAUNCHES = 50
CITIES = ["Berlin", "Kyoto", "Lagos", "Lima", "Oslo", "Quito", "Sydney", "Toronto"]
APP = [PYTHON, os.path.join(APPS, "django_app", "app.py")]


class Case:
    """One launch: what it brings, and where its answer goes."""

    def __init__(self, bench, number):
        self.cwd = os.path.join(bench.scratch, f"directory-{number}")
        os.mkdir(self.cwd)
        self.stdin = os.path.join(self.cwd, "numbers")
        with open(self.stdin, "w", encoding="ascii") as file:
            file.write(" ".join(str(number * k % 97) for k in range(1, number + 3)))
        self.arguments = ["/report/", f"city={CITIES[number % len(CITIES)]}", f"rows={1 + number % 6}"]
        self.env = {"DEMO_USER": f"user-{number}"}

    def run(self, bench, launcher, name):
        out = os.path.join(self.cwd, name)
        times = bench.spawn([*launcher, *APP, "--ready-byte", *self.arguments], self.cwd, self.stdin, out, self.env)
        if times.status:
            raise Failure(f"{name} run of {' '.join(self.arguments)}: wait status {times.status}")
        return times

    def answer(self, name):
        with open(os.path.join(self.cwd, name), "rb") as file:
            return file.read()


def main():
    with Bench() as bench:
        say(f"Warm's demo on {machine.text_of(machine.machine())}")
        bench.start_daemon()
        cases = [Case(bench, number) for number in range(LAUNCHES + 1)]

        say(f"starting the application cold, {COLD_STARTS} times")
        cases[0].run(bench, [], "unmeasured")      # Python writes its byte code, the disk is read
        cold = [cases[0].run(bench, [], "cold") for _ in range(COLD_STARTS)]

        say("the first launch by `warm exec`: it starts cold and is snapshotted")
        first = cases[0].run(bench, bench.exec(), "first")
        wrong = compare(cases[:1], "first")
        snapshot = published(bench)
        say("the second one comes from disk: what it reads is learnt, and the snapshot stored in that order")
        cases[0].run(bench, bench.exec(), "second")
        wrong += compare(cases[:1], "second")
        bench.wait_for_learning(snapshot)
        pool = Pool(bench, snapshot)

        say(f"running {LAUNCHES} commands cold, to know what they print")
        for case in cases[1:]:
            case.run(bench, [], "cold")

        say(f"launching them {LAUNCHES} times by `warm exec`, /bin/true in between")
        true, warm, not_hot = launch_all(bench, pool, cases[1:])
        wrong += compare(cases[1:], "warm")

        say("one more clone, and a cold process, kept alive to look at their memory")
        more_clone, cold_process = look_at_memory(bench, pool, cases[0])

    print_table(cold, first, warm, true, more_clone, cold_process)
    n = LAUNCHES + 2    # with the first, which started cold, and the second
    print(f"\n{len(warm) - len(not_hot)} of {len(warm)} launches hot, {n - len(wrong)} of {n} answers right.")
    if not more_clone:
        not_hot.append("not hot: the clone whose memory was to be looked at")
    for line in not_hot + wrong:
        print(line)
    return 1 if not_hot or wrong else 0


def published(bench):
    """The id of the application's snapshot, once it is there; interpreters that are pre-warmed do not count."""
    def found():
        rows = [row for row in bench.ask("ls") if row["name"] != "pre-warmed"]
        bad = [row for row in rows if row["state"] == "quarantined"]
        if bad:
            raise Failure(f"snapshot {bad[0]['id']} is quarantined: {bad[0]['reason']}")
        return [row["id"] for row in rows if row["state"] == "published"]

    wait_until(found, 30, "no snapshot was published")
    return found()[-1]


def launch_all(bench, pool, cases):
    true, warm, not_hot = [], [], []
    hot = bench.launches()["hot"]
    for case in cases:
        pool.wait()
        true.append(bench.spawn([TRUE]).reaped)
        pool.wait()
        warm.append(case.run(bench, bench.exec(), "warm"))
        now_hot = bench.launches()["hot"]
        if now_hot != hot + 1:
            not_hot.append(f"not hot: {' '.join(case.arguments)} in {case.cwd}: {why_not_hot(bench, case)}")
            now_hot = bench.launches()["hot"]
        hot = now_hot
    return true, warm, not_hot


def why_not_hot(bench, case):
    bench.spawn([*bench.exec("--explain"), *APP, *case.arguments], case.cwd, case.stdin, "", case.env)
    with open(bench.errors, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    return "the same again: " + lines[-1] if lines else "no explanation"


def compare(cases, name):
    wrong = []
    for case in cases:
        if case.answer(name) != case.answer("cold"):
            wrong.append(f"wrong: {' '.join(case.arguments)} in {case.cwd}:\n--- cold\n{show(case.answer('cold'))}"
                         f"--- {name}\n{show(case.answer(name))}")
    return wrong


def show(answer):
    return answer.decode("utf-8", "backslashreplace") + ("" if answer.endswith(b"\n") else "\n")


def look_at_memory(bench, pool, case):
    command = [*APP, "--hold", *case.arguments]
    how = {"cwd": case.cwd, "stdin": case.stdin, "env": case.env}
    bench.hold(bench.exec(*command), **how)
    pool.wait()
    hot = bench.launches()["hot"]
    _, clone = bench.hold(bench.exec(*command), **how)
    is_clone = bench.launches()["hot"] == hot + 1
    _, cold = bench.hold(command, **how)
    return memory(clone) if is_clone else None, memory(cold)


def print_table(cold, first, warm, true, more_clone, cold_process):
    base = percentile(true, 50)
    median_cold = percentile([t.last for t in cold], 50)

    def row(name, values, comparable):
        p50, p90, p99 = (percentile(values, p) for p in (50, 90, 99))
        ratio = f"{p50 / base:9.2f} x" if comparable else ""
        print(f"  {name:<42}{ms(p50)}{ms(p90)}{ms(p99)}{ratio}")

    print(f"\n  {'milliseconds from posix_spawn':<42}{'p50':>10}{'p90':>10}{'p99':>10}   /bin/true")
    row("/bin/true, started and ended", true, True)
    row(f"cold start, to the answer ({len(cold)})", [t.last for t in cold], True)
    row("first launch, snapshot taken, to the answer", [first.last], True)
    row(f"warm launch, ready ({len(warm)})", [t.first for t in warm], True)
    row("warm launch, to the answer", [t.last for t in warm], True)
    row("warm launch, ended", [t.reaped for t in warm], True)
    times = median_cold / percentile([t.last for t in warm], 50)
    print(f"\n  To the answer a cold start takes {times:.0f} times as long as a warm launch.")
    if not more_clone:
        return
    print(f"  Memory (Pss): one more clone {mib(more_clone.pss)}, a cold process {mib(cold_process.pss)};"
          f" private {mib(more_clone.private)} and {mib(cold_process.private)}.")


def ms(us):
    return f"{us / 1000:10.2f}"


def mib(size):
    return f"{size / 1048576:.1f} MiB"


def say(text):
    print(f"* {text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"demo: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
