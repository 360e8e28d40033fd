# SPDX-License-Identifier: MIT
"""Threads, asyncio, numpy and pandas; knows nothing of Warm. Standard input is read by a thread, answered by a task."""
import asyncio
import queue
import sys
import threading

import numpy
import pandas

table = pandas.DataFrame({"n": numpy.arange(2001), "square": numpy.arange(2001) ** 2}).set_index("n")
lines = queue.Queue()


def compute(numbers):
    found = table.loc[numbers, "square"]
    return f"{sum(numbers)} {list(found)} {found.mean():.3f} {numpy.linalg.det(numpy.diag(found.to_numpy(float))):.1f}"


async def serve(loop):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1
    ticker = asyncio.create_task(tick())
    while (line := await loop.run_in_executor(None, lines.get)) is not None:
        print(await loop.run_in_executor(None, compute, [int(word) for word in line.split()]), flush=True)
    seen = ticks
    while ticks == seen:                # the loop's clock goes on
        await asyncio.sleep(0.001)
    ticker.cancel()
    print("ticked")


def read():
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)


threading.Thread(target=read).start()
loop = asyncio.new_event_loop()
loop.run_until_complete(serve(loop))
loop.run_until_complete(loop.shutdown_default_executor())
