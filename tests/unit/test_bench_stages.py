# SPDX-License-Identifier: MIT
"""How bench/run --profile cuts a launch, with traces that are made up."""
import unittest

import bench_path  # noqa: F401
from spawner import Times
from stages import cut, summed, table
from tracing import Event, parsed

BEGAN = 5_000_000_000       # ns
WARM, WARMD, COPY, OTHER = 11, 12, 13, 14

HOT = [(5, WARM, "spawnbench", "enter", 59, 1), (9, WARM, "warm", "exec"), (10, WARM, "warm", "exit", 59, 0),
       (15, WARM, "warm", "enter", 42, 3), (16, WARM, "warm", "fault"), (28, WARM, "warm", "enter", 46, 8), (30, WARM, "warm", "enter", 46, 3),
       (40, WARMD, "warmd", "exit", 47, 900), (60, WARMD, "warmd", "enter", 46, 27), (62, WARMD, "warmd", "enter", 307, 23),
       (70, COPY, "app", "exit", 47, 104), (90, COPY, "app", "enter", 15, 1), (95, COPY, "app", "exit", 45, 300),
       (96, COPY, "app", "fault"), (97, OTHER, "app", "fault"), (98, OTHER, "warm-init", "exec"),
       (120, COPY, "app", "enter", 1, 1)]
TIMES = Times(BEGAN, 125.0, 150.0, 180.0, 0, 5)


def events(rows, began=BEGAN):
    return [Event(began / 1000 + row[0], *row[1:]) for row in rows]


class Cut(unittest.TestCase):
    def test_a_hot_launch_in_order_and_without_a_rest(self):
        stages = cut(events(HOT), TIMES, "hot")
        self.assertEqual([round(stage.us) for stage in stages], [5, 5, 5, 15, 10, 20, 10, 20, 5, 25, 5, 25, 30])
        self.assertEqual(sum(stage.us for stage in stages), TIMES.reaped)

    def test_faults_are_those_of_who_takes_part(self):
        by_name = {stage.name.split(":")[0]: stage.faults for stage in cut(events(HOT), TIMES, "hot")}
        self.assertEqual(by_name["hook"], 1)

    def test_a_refill_is_no_stage_of_a_hot_launch(self):
        early = sorted(HOT + [(75, OTHER, "warm-init", "exec")])
        self.assertEqual(len(cut(events(early), TIMES, "hot")), 13)

    def test_a_moment_that_is_missing_belongs_to_the_next(self):
        stages = cut(events(row for row in HOT if row[0] != 60 and row[0] != 62), TIMES, "hot")
        self.assertEqual(round(stages[5].us), 30)
        self.assertIn("standby wakes up", stages[5].name)

    def test_a_restore_has_its_own(self):
        rows = [row for row in HOT if row[0] not in (60, 62)] + [(50, 20, "warm-restore", "exec"), (65, 21, "warm-init", "exec")]
        rows.sort()
        self.assertEqual([round(stage.us) for stage in cut(events(rows), TIMES, "restore")[5:8]], [10, 15, 5])

    def test_medians_of_launches(self):
        launches = [cut(events(HOT), TIMES._replace(reaped=reaped), "hot") for reaped in (160.0, 180.0, 400.0)]
        stages = summed(launches)
        self.assertEqual((round(stages[-1][1]), round(stages[-1][2])), (30, 250))
        self.assertEqual(len(table(stages)), len(stages) + 2)


class Lines(unittest.TestCase):
    def test_what_the_kernel_prints(self):
        line = "            warm-1234    [001] .....  5123.456789: "
        self.assertEqual(parsed(line + "sys_enter: NR 46 (3, 7ffc, 0, 0, 0, 0)")[0][1:], (1234, "warm", "enter", 46, 3))
        self.assertEqual(parsed(line + "sys_exit: NR 0 = -11")[0][1:], (1234, "warm", "exit", 0, -11))
        self.assertEqual(parsed(line + "sched_process_exec: filename=/x/warm pid=1 old_pid=1")[0].kind, "exec")
        self.assertEqual(parsed(line + "page_fault_user: address=0x1 ip=0x2 error_code=0x6")[0].kind, "fault")
        self.assertEqual(parsed(line + "sys_exit: NR -1 = -4")[0].nr, -1)
        switch = "sched_switch: prev_comm=a b prev_pid=1 prev_prio=1 prev_state=S ==> next_comm=c d next_pid=7 next_prio=1"
        self.assertEqual(parsed(line + switch)[0][1:4], (7, "c d", "on"))
        self.assertAlmostEqual(parsed(line + switch)[0].us, 5123456789.0, places=0)

    def test_what_is_no_event(self):
        self.assertEqual(parsed("# tracer: nop"), [])


if __name__ == "__main__":
    unittest.main()
