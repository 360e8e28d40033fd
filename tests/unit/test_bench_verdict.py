# SPDX-License-Identifier: MIT
"""What bench/run --check calls worse: a real regression, and no noise; with histories that are made up."""
import json
import os
import random
import tempfile
import unittest

import bench_path  # noqa: F401
import history
import report
import verdict
from rows import make_row

KIND = {"cpu": "Some (R) CPU", "cpus": 2, "kernel": "6.18.0", "memory_gib": 24}


class Machine:
    """Runs of a machine whose launches take `ratio` times /bin/true, give or take; runs differ by `between` among them."""

    def __init__(self, seed, ratio=1.0, between=0.05, within=0.2, n=100):
        self.numbers = random.Random(seed)
        self.ratio, self.between, self.within, self.n = ratio, between, within, n
        self.hour = 0

    def run(self, factor=1.0, **how):
        today = self.ratio * factor * self.numbers.lognormvariate(0, self.between)
        true = [600 * self.numbers.lognormvariate(0, self.within) for _ in range(self.n)]
        values = [base * today * self.numbers.lognormvariate(0, self.within) for base in true]
        rows = [make_row("launch", "us", values, true)]
        self.hour += 1
        return {"date": f"2026-01-{1 + self.hour // 24:02}T{self.hour % 24:02}:00:00", "machine": KIND, "quick": False, "load": 0.1, "commit": "0", "dirty": False,
                "rows": {row["name"]: row for row in rows}, **how}


def word(run, runs):
    judged, _ = verdict.verdicts(run, runs)
    return judged[0][1] if judged else None


class Verdict(unittest.TestCase):
    def test_noise_is_hardly_ever_called_worse(self):
        wrong = 0
        for seed in range(150):
            machine = Machine(seed)
            runs = [machine.run() for _ in range(12)]
            wrong += word(runs[-1], runs) == "worse"
        self.assertLessEqual(wrong, 5)      # of 150

    def test_a_regression_beyond_the_noise_is_found(self):
        found = 0
        for seed in range(150):
            machine = Machine(seed)
            runs = [machine.run() for _ in range(12)] + [machine.run(1.5)]
            found += word(runs[-1], runs) == "worse"
        self.assertGreaterEqual(found, 145)

    def test_a_quiet_row_shows_a_small_one(self):
        machine = Machine(5, between=0.002, within=0.01)
        runs = [machine.run() for _ in range(12)]
        self.assertEqual(word(machine.run(), runs), "same")
        self.assertEqual(word(machine.run(1.1), runs), "worse")
        self.assertEqual(word(machine.run(0.9), runs), "better")

    def test_no_row_is_quieter_than_the_floor(self):
        machine = Machine(6, between=0, within=0)
        runs = [machine.run() for _ in range(6)]
        self.assertEqual(word(machine.run(1.05), runs), "same")

    def test_one_wild_run_of_the_past_hides_nothing(self):
        machine = Machine(7)
        runs = [machine.run() for _ in range(8)] + [machine.run(9)]
        self.assertEqual(word(machine.run(1.6), runs), "worse")

    def test_an_unsure_run_is_not_blamed(self):
        machine = Machine(8, between=0.01, within=0.05)
        runs = [machine.run() for _ in range(8)]
        machine.n, machine.within = 4, 1.0
        self.assertEqual(word(machine.run(1.2), runs), "same")

    def test_more_may_be_better(self):
        machine = Machine(9, between=0.01, within=0.05)
        runs = [machine.run() for _ in range(8)]
        more, less = machine.run(1.5), machine.run(0.5)
        for run in (more, less):
            run["rows"]["launch"]["more_is_better"] = True
        self.assertEqual([word(more, runs), word(less, runs)], ["better", "worse"])

    def test_only_like_is_compared_with_like(self):
        machine = Machine(10)
        runs = [machine.run(quick=True) for _ in range(8)] + [machine.run(load=5.0) for _ in range(8)]
        run = machine.run(3)
        judged, unknown = verdict.verdicts(run, runs + [run])
        self.assertEqual((judged, unknown), ([], ["launch"]))
        self.assertEqual(word(machine.run(3, load=4.0), runs), "worse")

    def test_later_runs_do_not_count(self):
        machine = Machine(11)
        runs = [machine.run() for _ in range(8)]
        self.assertIsNone(word(runs[3], runs))

    def test_lines_say_which_row_and_that_it_is_worse(self):
        machine = Machine(12)
        runs = [machine.run() for _ in range(8)] + [machine.run(3)]
        told, worse = verdict.lines(runs[-1], runs)
        self.assertTrue(worse)
        self.assertRegex(told[0], r"^WORSE: launch: \d")
        self.assertFalse(verdict.lines(runs[-2], runs)[1])


class History(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.join(folder.name, "history")

    def test_a_run_is_one_line_and_comes_back(self):
        rows = [make_row("native-hot, ready, back to back", "us", [1, 2, 3], [2, 2, 2])]
        written = history.append(self.folder, KIND, True, 0.5, rows)
        history.append(self.folder, KIND, False, 0.5, rows)
        read = history.read(self.folder, KIND)
        self.assertEqual((len(read), read[0]), (2, written))
        self.assertEqual(read[0]["rows"]["native-hot, ready, back to back"]["ratio"], 1)
        self.assertTrue({"date", "machine", "commit", "dirty", "quick", "load", "rows"} <= read[0].keys())

    def test_nothing_names_the_machine(self):
        history.append(self.folder, KIND, True, 0.5, [])
        with open(history.path_of(self.folder, KIND), encoding="utf-8") as file:
            self.assertNotIn(os.uname().nodename, json.dumps(json.loads(file.read())["machine"]))

    def test_another_kind_of_machine_has_another_history(self):
        history.append(self.folder, KIND, True, 0.5, [])
        self.assertEqual(history.read(self.folder, {**KIND, "kernel": "6.19.0"}), [])

    def test_lines_in_any_order_are_read_by_date(self):
        machine = Machine(13)
        runs = [machine.run() for _ in range(3)]
        os.makedirs(self.folder)
        with open(history.path_of(self.folder, KIND), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(run) + "\n" for run in reversed(runs))
        self.assertEqual([run["date"] for run in history.read(self.folder, KIND)], [run["date"] for run in runs])

    def test_report_has_each_row_once_and_over_time(self):
        machine = Machine(14)
        page = report.table([machine.run(), machine.run()])
        self.assertEqual(page.count("<td>launch"), 1)


if __name__ == "__main__":
    unittest.main()
