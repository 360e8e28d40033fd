# SPDX-License-Identifier: MIT
"""What comes out of a run: rows with percentiles, ratios, limits and whether they are reached."""

from figures import median_error, percentile, ratios
from limits import P99_WANTS, limit_of


def make_row(name, unit, values, baseline=None, more_is_better=False):
    """baseline: one value for each of `values`, measured beside it; the row's ratio is the median of theirs."""
    row = {"name": name, "unit": unit, "n": len(values)}
    row.update((f"p{p}", round(percentile(values, p), 3)) for p in (50, 90, 99))
    judged = values
    if baseline is not None:
        judged = ratios(values, baseline)
        row["baseline"] = round(percentile(baseline, 50), 3)
        row["ratio"] = round(percentile(judged, 50), 4)
        row["baseline_p99"] = round(percentile(baseline, 99), 3)
        row["ratio_p99"] = round(row["p99"] / row["baseline_p99"], 4)
    row["error"] = round(median_error(judged), 4)
    if more_is_better:
        row["more_is_better"] = True
    judge(row, limit_of(name))
    return row


def judged_value(row):
    """The figure that counts: of a comparison its ratio, else the median."""
    return row.get("ratio", row["p50"])


def judge(row, limit):
    if not limit:
        return
    row["limit"] = limit.value
    value = judged_value(row)
    row["reached"] = value >= limit.value if limit.at_least else value <= limit.value
    if limit.p99 and row["n"] >= P99_WANTS:
        row["limit_p99"] = limit.p99
        row["reached"] = row["reached"] and row["ratio_p99"] <= limit.p99


HEADER = f"{'':<58}{'':>5}{'n':>5}{'p50':>11}{'p90':>11}{'p99':>11}   ratio"


def text_of(row):
    values = "".join(f"{row[p]:11.1f}" for p in ("p50", "p90", "p99"))
    text = f"{row['name']:<58}{row['unit']:>5}{row['n']:>5}{values}"
    if "ratio" in row:
        text += f"{row['ratio']:9.2f} x {row['baseline']:.1f}, p99 {row['ratio_p99']:.2f} x"
    if "limit" in row:
        sign = "at least" if row.get("more_is_better") else "limit"
        text += f"; {sign} {row['limit']:g}"
        text += f", p99 {row['limit_p99']:g}" if "limit_p99" in row else ""
        text += ": reached" if row["reached"] else ": MISSED"
    return text
