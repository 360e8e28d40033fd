# SPDX-License-Identifier: MIT
"""A program that is launched again while its first snapshot is on its way does without: nothing has failed, so nobody hears a word."""
import os
import shutil
import subprocess
import unittest

from case import WarmCase, harness, write
from harness import BUILD, PYTHON, base_env, finish

NODE = shutil.which("node", path=base_env()["PATH"])
NODE_THERE = NODE and os.path.exists(os.path.join(BUILD, "node", "warm", "warm.node"))

# They stop twice, for a line each time: before the hook, and in the first thing that the hook calls.
PYTHON_APP = """
import sys, warm
def line(said): print(said, flush=True); sys.stdin.readline()
@warm.before_snapshot
def before(): line("before")
line("up")
print(warm.ready(argv=True))
"""

C_APP = """
import ctypes, os, sys
lib = ctypes.CDLL(os.environ["LIBWARM"])
def line(said): print(said, flush=True); sys.stdin.readline()
before = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: line("before") or 0)
lib.warm_on_snapshot(before, None)
line("up")
print(["resumed", "restored", "cold"][lib.warm_ready(1)])
"""

NODE_APP = """
const fs = require("node:fs"), warm = require("warm");
const line = (said) => { fs.writeSync(1, said + "\\n"); fs.readSync(0, Buffer.alloc(1)); };
warm.beforeSnapshot(() => line("before"));
line("up");
warm.ready({ argv: true }).then((outcome) => console.log(outcome));
"""


def race(test, *argv, until=lambda: None):
    """What is said, and complained, by one whose hooks run already when another one's snapshot is taken, and by one that
    has yet to call the hook then. Their arguments are declared to be the launch's."""
    def launch(word):
        process = test.daemon.popen(*argv, word, stdin=subprocess.PIPE, env={"LIBWARM": os.path.join(BUILD, "libwarm.so")})
        test.addCleanup(process.kill)
        test.assertEqual(process.stdout.readline(), b"up\n")
        return process

    late, early, first = launch("late"), launch("early"), launch("first")
    late.stdin.write(b"\n")
    late.stdin.flush()
    test.assertEqual(late.stdout.readline(), b"before\n")
    done = finish(first, "\n\n")
    test.assertEqual(done.out.lower().splitlines()[-1], "resumed", repr(done))
    until()
    return [(done.out.lower(), done.err, done.code) for done in (finish(late, "\n"), finish(early, "\n\n"))]


class Unwanted(WarmCase):
    publish_app = False

    def check(self, name, code, runtime):
        script = write(os.path.join(self.daemon.dir, name), code)
        self.assertEqual(race(self, runtime, script), [("cold\n", "", 0), ("cold\n", "", 0)])

    def test_python(self):
        self.check("app.py", PYTHON_APP, PYTHON)

    def test_c(self):
        self.check("c.py", C_APP, PYTHON)

    @unittest.skipUnless(NODE_THERE, "no node, or none of its headers when Warm was built")
    def test_node(self):
        self.check("app.js", NODE_APP, NODE)


class BesideAQuarantinedOne(WarmCase):
    """That snapshot is no good, and that was nobody's fault who is launched meanwhile."""

    publish_app = False
    CODE = "import os\nkept = os.memfd_create('kept')\nos.write(kept, b'Z' * 4096)\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        plugins = os.path.join(cls.daemon.dir, "plugins")
        os.mkdir(plugins)
        for name in ("memfile.so", "alter.so"):
            shutil.copy(os.path.join(BUILD, "tests", "plugins", name), plugins)
        cls.daemon.stop()
        with open(cls.daemon.options[1], "a", encoding="utf-8") as config:
            config.write(f"[plugins]\ndir = {plugins}\n")
        cls.daemon.start()

    def tearDown(self):
        """To C the script is an argument, and the launch's: its snapshot would be that of the next test's script, too."""
        self.daemon.warm("rm", *[row["id"] for row in self.daemon.ls()])
        super().tearDown()

    def check(self, name, code):
        def quarantined():
            there = harness.wait_for(lambda: [row for row in self.daemon.ls() if row["state"] == "quarantined" and script in row["command"]], 20)
            self.assertTrue(there, self.daemon.log())

        script = write(os.path.join(self.daemon.dir, name), self.CODE + code)
        self.assertEqual(race(self, PYTHON, script, until=quarantined), [("cold\n", "", 0), ("cold\n", "", 0)])

    def test_python(self):
        self.check("app.py", PYTHON_APP)

    def test_c(self):
        self.check("c.py", C_APP)


if __name__ == "__main__":
    unittest.main()
