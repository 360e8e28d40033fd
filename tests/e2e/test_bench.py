# SPDX-License-Identifier: MIT
"""bench/run measures, says what it has found, and looks at what was measured before."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

from harness import BUILD, PYTHON, ROOT

sys.path.append(os.path.join(ROOT, "bench"))    # its harness is not ours
import history  # noqa: E402
import machine  # noqa: E402
from rows import make_row  # noqa: E402


class BenchCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="warm-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.history = os.path.join(self.folder, "history")

    def bench(self, *words):
        return subprocess.run([PYTHON, os.path.join(ROOT, "bench", "run"), "--history", self.history, *words], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, "WARM_BUILD": BUILD})

    def test_a_case_twice(self):
        out = os.path.join(self.folder, "out.json")
        done = self.bench("--few", "2", "--json", out, "true", "native-hot", "native-restore")
        self.assertIn(done.returncode, (0, 1), done.stderr)    # 1: figures miss their limits
        with open(out, encoding="utf-8") as file:
            result = json.load(file)
        rows = {row["name"]: row for row in result["cases"]}
        self.assertIsInstance(result["machine"], str)
        for name in ("true, isolated", "native-hot, ready, back to back", "native-hot, answer - own, isolated", "native-restore, ready"):
            self.assertIn(name, rows)
            self.assertLessEqual({"unit", "n", "p50", "p90", "p99"}, rows[name].keys())
            self.assertEqual(rows[name]["n"], 2)
            self.assertIn(name, done.stdout)
        self.assertLessEqual({"baseline", "ratio", "limit", "reached"}, rows["native-hot, ready, back to back"].keys())
        self.assertGreater(rows["native-hot, answer, back to back"]["p50"], 0)
        self.assertNotIn("cold_restore", " ".join(result["notes"]))     # all were
        self.assertFalse(os.path.exists(self.history))

    def test_profile(self):
        done = self.bench("--few", "2", "--profile", "native-hot")
        if "no tracing here" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        for stage in ("execve", "warmd: looks up", "the standby wakes up", "restorer", "hook", "ready"):
            self.assertIn(stage, done.stdout)
        self.assertFalse([name for name in os.listdir("/sys/kernel/tracing/instances") if name.startswith("warm-bench")])

    def test_unknown_case(self):
        done = self.bench("no-such-case")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no-such-case", done.stderr)

    def write_history(self, *values):
        kind = machine.machine()
        for n, value in enumerate(values):
            run = history.append(self.history, kind, True, 0.1, [make_row("launch", "us", [value] * 9)])
            run["date"] = f"2026-01-01T{n:02}:00:00"
            lines = history.read(self.history, kind)[:-1] + [run]
            with open(history.path_of(self.history, kind), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)

    def test_check(self):
        self.assertEqual(self.bench("--check").returncode, 1)
        self.write_history(500, 501, 499, 502, 500)
        self.assertEqual(self.bench("--check").returncode, 0)
        self.write_history(500, 501, 499, 502, 500, 900)
        done = self.bench("--check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("WORSE: launch: 900", done.stdout)

    def test_report(self):
        self.write_history(500, 501, 499)
        folder = os.path.join(self.folder, "report")
        done = self.bench("--report", "--report-folder", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(folder, "launch.svg"), encoding="utf-8") as file:
            self.assertIn("<svg", file.read(1000))
        with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
            self.assertIn("launch.svg", file.read())
