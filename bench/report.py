# SPDX-License-Identifier: MIT
"""The history of this kind of machine as a page: a table of the last run, and each row over time (gnuplot, SVG)."""

import html
import os
import re
import shutil
import subprocess

import machine
from errors import Failure
from rows import judged_value

PLOT = """
set terminal svg size 900,260 noenhanced font "sans,11" background rgb "white"
set output "{svg}"
set title "{title}"
set xdata time
set timefmt "%Y-%m-%dT%H:%M:%S"
set format x "%m-%d\\n%H:%M"
set ylabel "{unit}"
set yrange [0:*]
set grid ytics
set key top left
plot {curves}
"""
CURVE = '"{data}" using 1:{column} with linespoints pointtype 7 pointsize 0.4 title "{title}"'
STYLE = """body { font-family: sans-serif; margin: 2em; } td, th { text-align: right; padding: 0 0.8em; }
td:first-child { text-align: left; } .missed { color: #b00; } img { display: block; margin: 1em 0; }"""


def write(folder, kind, runs):
    """Makes the folder anew; returns the path of the page."""
    if not runs:
        raise Failure("no run on this kind of machine is in the history: run bench/run first")
    if not shutil.which("gnuplot"):
        raise Failure("no gnuplot here: `make deps` installs it")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    names = list(dict.fromkeys(name for run in reversed(runs) for name in run["rows"]))
    plots = [(name, plot(folder, name, runs)) for name in names]
    page = os.path.join(folder, "index.html")
    with open(page, "w", encoding="utf-8") as file:
        file.write(f"<!DOCTYPE html><meta charset=utf-8><title>Warm, measured</title><style>{STYLE}</style>\n"
                   f"<h1>Warm, measured</h1><p>{html.escape(machine.text_of(kind))}; {len(runs)} runs\n" + table(runs) +
                   "".join(f'<img src="{svg}" alt="{html.escape(name)}">\n' for name, svg in plots))
    return page


def plot(folder, name, runs):
    """The name of the SVG with this row over time: its ratio or median, its limit, and quick runs as a curve of their own."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    having = [run for run in runs if name in run["rows"]]
    newest = having[-1]["rows"][name]
    curves = []
    for quick in (False, True):
        some = [run for run in having if run["quick"] == quick]
        if some:
            data = os.path.join(folder, f"{stem}{'-quick' if quick else ''}.data")
            with open(data, "w", encoding="ascii") as file:
                for run in some:
                    row = run["rows"][name]
                    file.write(f"{run['date'][:19]} {judged_value(row)} {row.get('limit', 'NaN')}\n")
            curves.append(CURVE.format(data=data, column=2, title="quick" if quick else "full"))
            if "limit" in newest:
                curves.append(f'"{data}" using 1:3 with lines dashtype 2 linecolor "red" title "limit"')
    unit = "ratio" if "ratio" in newest else newest["unit"]
    script = PLOT.format(svg=os.path.join(folder, stem + ".svg"), title=name, unit=unit, curves=", ".join(curves))
    done = subprocess.run(["gnuplot"], input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Failure(f"gnuplot: {name}: {done.stdout.strip()}")
    return stem + ".svg"


def table(runs):
    """Each row as it was measured last."""
    latest = {}
    for run in runs:
        latest.update((name, (run, row)) for name, row in run["rows"].items())
    lines = []
    for name, (run, row) in latest.items():
        verdict = "" if "limit" not in row else "reached" if row["reached"] else "MISSED"
        cells = [html.escape(name), row["unit"], row["n"], row["p50"], row["p90"], row["p99"], row.get("ratio", ""), row.get("limit", ""),
                 verdict, run["commit"] + ("+" if run["dirty"] else ""), run["date"][:16], "quick" if run["quick"] else "",
                 run["load"]]
        lines.append(f"<tr{' class=missed' if verdict == 'MISSED' else ''}>" + "".join(f"<td>{cell}" for cell in cells))
    heads = ("", "unit", "n", "p50", "p90", "p99", "ratio", "limit", "", "commit", "date", "", "load")
    return "<table><tr>" + "".join(f"<th>{head}" for head in heads) + "\n" + "\n".join(lines) + "</table>\n"
