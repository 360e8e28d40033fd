# SPDX-License-Identifier: MIT
"""Statistics of bench/, rows and limits."""
import random
import statistics
import unittest

import bench_path  # noqa: F401
from figures import median, median_error, percentile, spread
from limits import ISOLATED, LIMITS, limit_of
from rows import judged_value, make_row, text_of


class Figures(unittest.TestCase):
    def test_percentile_is_a_value_that_was_measured(self):
        values = [5, 1, 4, 2, 3, 9, 7, 8, 6, 10]
        self.assertEqual([percentile(values, p) for p in (0, 10, 50, 90, 99, 100)], [1, 1, 5, 9, 10, 10])
        self.assertEqual(percentile([7], 99), 7)

    def test_median_is_the_library_s(self):
        numbers = random.Random(1)
        for n in range(1, 30):
            values = [numbers.random() for _ in range(n)]
            self.assertAlmostEqual(median(values), statistics.median(values))

    def test_median_error_is_the_spread_of_medians(self):
        numbers = random.Random(2)

        def sample():
            return [numbers.expovariate(1) for _ in range(100)]

        true_error = statistics.stdev(median(sample()) for _ in range(400))
        told = statistics.mean(median_error(sample()) for _ in range(400))
        self.assertLess(abs(told / true_error - 1), 0.25)

    def test_median_error_of_few_is_their_reach(self):
        self.assertEqual(median_error([3]), 0)
        self.assertEqual(median_error([3, 5]), 1)

    def test_spread_is_a_standard_deviation_without_outliers(self):
        numbers = random.Random(3)
        values = [numbers.gauss(50, 4) for _ in range(1000)]
        self.assertLess(abs(spread(values) / 4 - 1), 0.1)
        self.assertLess(abs(spread(values + [10000] * 100) / 4 - 1), 0.3)


class Rows(unittest.TestCase):
    def test_ratio_is_the_median_of_pairs(self):
        row = make_row("x", "us", [10, 30, 20], [10, 10, 5])
        self.assertEqual((row["ratio"], row["baseline"], row["n"]), (3, 10, 3))
        self.assertEqual(judged_value(row), 3)
        self.assertEqual(judged_value(make_row("x", "us", [10, 30, 20])), 20)

    def test_limit_holds_for_the_ratio(self):
        self.assertTrue(make_row("jvm-template, ready", "us", [80], [10])["reached"])
        row = make_row("jvm-template, ready", "us", [81], [10])
        self.assertFalse(row["reached"])
        self.assertIn("MISSED", text_of(row))
        self.assertNotIn("reached", make_row("no such row", "us", [81], [10]))

    def test_isolated_may_be_twice_as_much(self):
        name, limit = "native-hot, ready", LIMITS["native-hot, ready"].value
        self.assertEqual(limit_of(name + ", back to back").value, limit)
        self.assertEqual(limit_of(name + ", isolated").value, ISOLATED * limit)

    def test_p99_counts_where_there_are_enough(self):
        slow = [50] * 98 + [400] * 2
        base = [100] * 100
        self.assertFalse(make_row("native-hot, ready, back to back", "us", slow, base)["reached"])
        self.assertNotIn("limit_p99", make_row("native-hot, ready, back to back", "us", slow[:50], base[:50]))

    def test_at_least(self):
        name = "rate, launches, against the fork server"
        self.assertTrue(make_row(name, "1/s", [90], [100], more_is_better=True)["reached"])
        self.assertFalse(make_row(name, "1/s", [70], [100], more_is_better=True)["reached"])


if __name__ == "__main__":
    unittest.main()
