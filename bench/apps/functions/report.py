# SPDX-License-Identifier: MIT
"""A function in Python, as bench/apps/functions/server.py starts it: report.py NAME, prints "ready", then one call a line, the milliseconds that it
takes. What is slow is its start: the libraries, and a table of its own."""

import decimal                          # noqa: F401
import email.message                    # noqa: F401
import html
import json
import sqlite3
import sys
import time
import xml.etree.ElementTree            # noqa: F401

import numpy

try:
    import warm
except ImportError:
    warm = None

NAME = sys.argv[1]
ROWS = 20000

table = numpy.random.default_rng(list(NAME.encode())).integers(0, 1000, (ROWS, 8))
names = sqlite3.connect(":memory:")
names.execute("CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT)")
names.executemany("INSERT INTO names VALUES (?, ?)", [(i, f"{NAME} {i}") for i in range(1000)])


def answer(words):
    began = time.monotonic()
    most = int(table[:, 0].argmax())
    name = names.execute("SELECT name FROM names WHERE id = ?", (most % 1000,)).fetchone()[0]
    text = json.dumps({"name": html.escape(name), "sum": int(table[most].sum())})
    time.sleep(max(0.0, float(words) / 1000 - (time.monotonic() - began)))      # whatever it asks others for
    return text


if warm:
    warm.ready()
print("ready", flush=True)
for line in sys.stdin:
    print(answer(line), flush=True)
