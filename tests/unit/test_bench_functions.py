# SPDX-License-Identifier: MIT
"""The function server of bench/run serverless, with functions in sh."""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import bench_path

SERVER = os.path.join(bench_path.BENCH, "apps", "functions", "server.py")
SELF = "echo ready; while read words; do echo $$ $words; done"
HELD = "echo ready; while read path; do until [ -e $path ]; do sleep 0.02; done; echo $$; done"
ENDS = "echo ready; read words; [ $words = die ] || echo $words"
BROKEN = "exit 1"


class FunctionServer(unittest.TestCase):
    def setUp(self):
        functions = {name: ["/bin/sh", "-c", text] for name, text in (("self", SELF), ("held", HELD), ("ends", ENDS),
                                                                         ("broken", BROKEN))}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
            json.dump({"functions": functions, "launcher": ["/usr/bin/env"], "keep_alive_s": 0.4, "most": 2}, config)
            config.flush()
            self.child = subprocess.Popen([sys.executable, "-B", SERVER, config.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.addCleanup(self.end)
            self.port = int(self.child.stdout.readline())

    def end(self):
        self.child.stdin.close()
        self.assertEqual(self.child.wait(10), 0)
        self.child.stdout.close()

    def call(self, path):
        """(status, whether it waited for an instance, the answer's words)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode().split()
        connection.close()
        return answer.status, answer.getheader("X-Waited") == "1", text

    def test_an_idle_instance_is_used_again_and_ends_when_it_was_idle_for_long(self):
        _, waited, first = self.call("/self?a%20b")
        self.assertEqual((waited, first[1:]), (True, ["a", "b"]))
        self.assertEqual(self.call("/self?c"), (200, False, [first[0], "c"]))
        limit = time.monotonic() + 10
        while os.path.exists(f"/proc/{first[0]}") and time.monotonic() < limit:
            time.sleep(0.02)
        self.assertFalse(os.path.exists(f"/proc/{first[0]}"))
        _, waited, again = self.call("/self?d")
        self.assertTrue(waited)
        self.assertNotEqual(again[0], first[0])

    def instances(self):
        mine = []
        for task in os.listdir(f"/proc/{self.child.pid}/task"):
            try:
                with open(f"/proc/{self.child.pid}/task/{task}/children", encoding="ascii") as file:
                    mine += file.read().split()
            except OSError:     # a thread that has ended: its children are another one's
                pass
        return set(mine)

    def test_a_function_has_so_many_instances_at_most(self):
        answers = []
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "go")
            threads = [threading.Thread(target=lambda: answers.append(self.call(f"/held?{path}"))) for _ in range(5)]
            for thread in threads:
                thread.start()
            limit = time.monotonic() + 10
            while len(self.instances()) < 2 and time.monotonic() < limit:
                time.sleep(0.01)
            time.sleep(0.2)
            at_most = len(self.instances())
            with open(path, "w", encoding="ascii"):
                pass
            for thread in threads:
                thread.join()
        self.assertEqual(at_most, 2)
        self.assertEqual([status for status, _, _ in answers], [200] * 5)
        self.assertEqual(len({words[0] for _, _, words in answers}), 2)
        self.assertGreaterEqual(sum(waited for _, waited, _ in answers), 2)

    def test_an_instance_that_ends_is_an_error_and_no_more(self):
        self.assertEqual(self.call("/ends?die")[0], 502)
        self.assertEqual(self.call("/ends?ok"), (200, True, ["ok"]))
        self.assertEqual(self.call("/broken?x")[0], 502)
        self.assertEqual(self.call("/unknown?x")[0], 404)
        self.assertEqual(self.call("/self?x")[0], 200)


if __name__ == "__main__":
    unittest.main()
