# SPDX-License-Identifier: MIT
"""The calls that bench/run serverless is driven by have the published statistics."""
import collections
import math
import unittest

import bench_path  # noqa: F401
from arrivals import (COMPRESSION, HOUR_S, LOG_DEVIATION, LOG_MEAN, LONGEST_S, MAKERS, Function, functions, quota, rate, takes,
                      trace)
from figures import median

DAY_S = 24 * HOUR_S / COMPRESSION


def variation(times):
    """Coefficient of variation of the times between them."""
    gaps = [b - a for a, b in zip(times, times[1:])]
    mean = sum(gaps) / len(gaps)
    return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean


class Arrivals(unittest.TestCase):
    def test_the_same_seed_is_the_same_trace(self):
        self.assertEqual(trace(functions(20, 1), 60, 1), trace(functions(20, 1), 60, 1))
        self.assertNotEqual(trace(functions(20, 1), 60, 1), trace(functions(20, 1), 60, 2))
        longer = trace(functions(20, 1), 120, 1)
        self.assertEqual(trace(functions(20, 1), 60, 1), [call for call in longer if call.at_s < 60])

    def test_popularity_is_skewed_as_published(self):
        of = functions(1000, 1)
        self.assertEqual(sum(each.rate <= 1 for each in of), 450)
        self.assertEqual(sum(each.rate <= 60 for each in of), 810)
        total = sum(each.rate for each in of)
        self.assertGreater(sum(each.rate for each in of if each.rate > 60) / total, 0.85)
        self.assertEqual([rate(share) for share in (0.45, 1.0)], [1.0, 600.0])

    def test_patterns_have_their_shares_of_few_functions_too(self):
        for n in (5, 12, 24, 1000):
            self.assertEqual(len(functions(n, 3)), n)
            counts = collections.Counter(each.pattern for each in functions(n, 3))
            for pattern, share in (("periodic", 0.2), ("poisson", 0.4), ("bursty", 0.4)):
                self.assertLessEqual(abs(counts[pattern] - share * n), 1)
        self.assertEqual(quota((("a", 0.5), ("b", 0.5)), 3), ["a", "a", "b"])

    def test_times_between_calls_vary_as_published(self):
        for pattern, low, high in (("periodic", 0, 1e-6), ("poisson", 0.85, 1.15), ("bursty", 1.5, 4)):
            calls = trace([Function("f", pattern, 100)], DAY_S, 5)
            self.assertTrue(low <= variation([call.at_s for call in calls]) <= high, pattern)

    def test_rates_are_kept_by_every_pattern(self):
        for pattern in MAKERS:
            calls = trace([Function("f", pattern, 100)], DAY_S, 7)
            self.assertLess(abs(len(calls) - 2400), 360, pattern)   # some 5 deviations of a sum of bursts
            self.assertTrue(all(0 <= call.at_s < DAY_S for call in calls))

    def test_execution_times_are_log_normal(self):
        import random
        chance = random.Random(9)
        logs = [math.log(takes(chance)) for _ in range(20000)]
        self.assertLess(abs(median(logs) - LOG_MEAN), 0.1)
        self.assertAlmostEqual(max(logs), math.log(LONGEST_S))
        self.assertLess(abs(sorted(logs)[3173] - (LOG_MEAN - LOG_DEVIATION)), 0.1)   # one deviation below

    def test_calls_are_in_order_of_time(self):
        times = [call.at_s for call in trace(functions(24, 1), 60, 1)]
        self.assertEqual(times, sorted(times))
        self.assertTrue(300 < len(times) < 3000, len(times))


if __name__ == "__main__":
    unittest.main()
