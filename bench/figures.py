# SPDX-License-Identifier: MIT
"""Statistics of short lists of measured values: pure functions."""

import math


def percentile(values, p):
    """The smallest value that p percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1)]


def median(values):
    """Of an even number of values the mean of the two in the middle."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_error(values):
    """Standard error of the median, whatever the distribution: half the distance between the values whose ranks lie one
    standard deviation of a median's rank (half the root of n) beside the middle."""
    ordered = sorted(values)
    n = len(ordered)
    reach = math.sqrt(n) / 2
    low = max(0, math.floor((n - 1) / 2 - reach))
    high = min(n - 1, math.ceil((n - 1) / 2 + reach))
    return (ordered[high] - ordered[low]) / 2


def spread(values):
    """A standard deviation that outliers do not move: 1.4826 times the median distance from the median."""
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])


def ratios(values, baseline):
    return [value / base for value, base in zip(values, baseline)]
