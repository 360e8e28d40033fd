# SPDX-License-Identifier: MIT
"""Timers that a runtime keeps itself: what had a second to go at the hook has a second to go in a copy. The first run waits
for all of them, so each snapshot here is older than they are long."""
import json
import os

import harness
from case import WarmCase, make_snapshot, write
from test_java import JAR, JAVA, compile_programs, needs_java, told

PYTHON_TIMERS = """
import asyncio, json, threading, time, warm
DISTANCE, KINDS = 1.0, 7
due = {}
def note(name): due[name] = time.monotonic()
async def limited(name):
    try: await asyncio.wait_for(asyncio.Event().wait(), DISTANCE)
    except asyncio.TimeoutError: note(name)
async def elsewhere():
    asyncio.get_running_loop().call_later(DISTANCE, note, "call_later elsewhere")
    started.set()
    await limited("wait_for elsewhere")
async def main():
    loop = asyncio.get_running_loop()
    threading.Thread(target=asyncio.run, args=(elsewhere(),)).start()
    started.wait()
    threading.Timer(DISTANCE, note, ("Timer",)).start()
    threading.Thread(target=lambda: (time.sleep(DISTANCE), note("sleep"))).start()
    loop.call_later(DISTANCE, note, "call_later")
    task = asyncio.create_task(limited("wait_for"))
    noted = loop.time() + DISTANCE
    start = time.monotonic()
    await asyncio.sleep(0.05)
    outcome = warm.ready()
    began = time.monotonic()
    loop.call_at(noted, note, "call_at")
    await asyncio.sleep(0)
    while len(due) < KINDS: await asyncio.sleep(0.01)
    print(json.dumps({"outcome": outcome, "since hook": {name: when - began for name, when in due.items()},
                      "since start": {name: when - start for name, when in due.items()},
                      "clock": loop.time() - time.monotonic()}))
started = threading.Event()
asyncio.run(main())
"""
NEAR = 0.3  # of a second or more: less means that the time in the image has counted


class Timers(WarmCase):
    publish_app = False

    def test_python(self):
        path = write(os.path.join(self.folder("python"), "timers.py"), PYTHON_TIMERS)
        first = json.loads(self.daemon.exec(harness.PYTHON, path).out)
        self.assertGreater(min(first["since start"].values()), 0.99, first)
        self.assertEqual(round(first["clock"], 3), 0, "the original's loop has another clock")
        make_snapshot(self.daemon, harness.PYTHON, path)
        copy = json.loads(self.assertClone(self.daemon.exec(harness.PYTHON, path)).out)
        self.assertEqual(copy["outcome"], "restored")
        self.assertEqual(len(copy["since hook"]), 7)
        self.assertGreater(min(copy["since hook"].values()), NEAR, copy)
        self.assertLess(max(copy["since hook"].values()), 3, copy)

    @needs_java
    def test_java(self):
        classes = compile_programs(self.folder("java"))
        argv = JAVA, "-cp", f"{JAR}:{classes}", "Timing"
        make_snapshot(self.daemon, *argv)
        copy = told(self.assertClone(self.daemon.exec(*argv)).out)
        self.assertEqual(copy.pop("outcome"), "RESTORED")
        self.assertLess(int(copy.pop("ticks")), 8, "ticks that were missed in the image are made up for")
        left = {name: float(seconds) for name, seconds in copy.items()}
        self.assertEqual(sorted(left), ["delayed", "executor", "sleep", "timer"])
        self.assertGreater(min(left.values()), NEAR, left)
        self.assertLess(max(left.values()), 5, left)
