# SPDX-License-Identifier: MIT
"""Functions that scale to zero, with and without Warm, called in the same way (bench/arrivals.py)."""

import collections
import http.client
import json
import os
import subprocess
import threading
import time

from arrivals import KEEP_ALIVE_S, functions, trace
from errors import Failure
from harness import end, wait_until
from places import APPS, PYTHON

SEED = 1
LIMIT_S = 60            # of one call
NATIVE_EACH = 3         # every third function is in C
INSTANCES = 4           # of a function at a time

# waited: no instance was idle. late_ms: what the call took beyond what the function takes by itself.
Answer = collections.namedtuple("Answer", "waited late_ms text")


def serverless(run):
    """calls to functions behind HTTP, each at its time of a trace made after published statistics of a serverless platform: from
    when it is sent until it is answered, less what the function takes by itself. A function that is not called has no process; one is
    started by `warm exec`, with a snapshot taken when the function was deployed, or without Warm. Cold-start share: of all calls,
    those that find no idle instance, where a new one starts cold"""
    n, seconds = (6, 3) if run.only_tries else (12, 20) if run.quick else (24, 60)
    programs = {each.name: program(run, i, each.name) for i, each in enumerate(functions(n, SEED))}
    calls = trace(functions(n, SEED), seconds, SEED)
    deploy(run, programs)
    without = replay(run, programs, [], calls)
    since = run.bench.launches()
    warm = replay(run, programs, run.bench.exec("--"), calls)
    tiers = {tier: count - since[tier] for tier, count in run.bench.launches().items()}

    for name, text in differing(warm, without):
        raise Failure(f"serverless: {name} answers {text!r} under Warm, something else without")
    run.add("serverless, cold-start share", "%", [share(warm) * tiers["cold_start"] / max(1, sum(tiers.values()))], [share(without)])
    for what, answers in (("with Warm", warm), ("without", without)):
        run.add(f"serverless, calls that wait for an instance {what}", "%", [share(answers)])
        run.add(f"serverless, latency {what}", "ms", [each.late_ms for each in answers])
        run.add(f"serverless, latency of those {what}", "ms", [each.late_ms for each in answers if each.waited])
    run.note(f"serverless: {len(calls)} calls of {n} functions in {seconds} s; launches were " +
             ", ".join(f"{tier} {count}" for tier, count in tiers.items() if count))


def program(run, i, name):
    if i % NATIVE_EACH == 0:
        return [os.path.join(run.bench.build, "bench", "tiles"), name]
    return [PYTHON, os.path.join(APPS, "functions", "report.py"), name]


def share(answers):
    """Percent of them that waited."""
    return 100 * sum(each.waited for each in answers) / len(answers)


def differing(one, other):
    return [(a.text, b.text) for a, b in zip(one, other) if a.text != b.text]


def deploy(run, programs):
    """A snapshot of each, as a platform takes it when it gets the function. The answer tells that it was ready."""
    with FunctionServer(run.bench, programs, run.bench.exec("--")) as server:
        for name in programs:
            server.call(name, 0)
            wait_until(lambda name=name: of_function(run, name), 30, f"function {name} has no snapshot")


def of_function(run, name):
    return [row for row in run.bench.ask("ls") if row["state"] == "published" and row["command"][-1:] == [name]]


def replay(run, programs, launcher, calls):
    """[Answer] of each call, in their order. A call does not wait for those before it."""
    answers = [None] * len(calls)

    def make(i, call):
        began = time.monotonic()
        waited, text = server.call(call.function, call.takes_s * 1000)
        answers[i] = Answer(waited, (time.monotonic() - began - call.takes_s) * 1000, text)

    with FunctionServer(run.bench, programs, launcher) as server:
        began = time.monotonic()
        threads = []
        for i, call in enumerate(calls):
            time.sleep(max(0.0, began + call.at_s - time.monotonic()))
            threads.append(threading.Thread(target=make, args=(i, call)))
            threads[-1].start()
        for thread in threads:
            thread.join()
    failed = [call.function for call, answer in zip(calls, answers) if answer is None]
    if failed:
        raise Failure(f"serverless: {len(failed)} calls failed, the first of {failed[0]}")
    return answers


class FunctionServer:
    """bench/apps/functions/server.py, as long as the with statement."""

    def __init__(self, bench, programs, launcher):
        self.config = os.path.join(bench.scratch, "functions.json")
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"functions": programs, "launcher": launcher, "keep_alive_s": KEEP_ALIVE_S, "most": INSTANCES}, file)
        self.bench = bench

    def __enter__(self):
        self.child = self.bench.start([PYTHON, os.path.join(APPS, "functions", "server.py"), self.config], stdin=None)
        self.port = int(self.child.stdout.readline() or b"0")
        if not self.port:
            raise Failure("the function server does not start")
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            end(self.child)

    def call(self, name, takes_ms):
        """(whether no instance was idle, the answer)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request("GET", f"/{name}?{takes_ms:.3f}")
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Failure(f"function {name}: HTTP status {answer.status}")
        return answer.getheader("X-Waited") == "1", text
