# SPDX-License-Identifier: MIT
"""Node with packages from npm, worker threads and a server."""
import os
import shutil
import subprocess
import unittest

from case import write
from harness import BUILD, base_env
from runtime import PACKAGES, PROGRAMS, RuntimeCase

NODE = shutil.which("node", path=base_env()["PATH"])
HOOK = os.path.join(BUILD, "node", "warm")


def needs_package(name):
    return unittest.skipUnless(os.path.isdir(os.path.join(PACKAGES, name)), f"{name} of npm is not there (make test-runtimes)")


@unittest.skipUnless(NODE and os.path.exists(os.path.join(HOOK, "warm.node")), "no node, or none of its headers when Warm was built")
class Node(RuntimeCase):
    def check_program(self, name, **keywords):
        self.check_launches(NODE, os.path.join(PROGRAMS, name),
                            env={"NODE_PATH": base_env()["NODE_PATH"] + ":" + PACKAGES}, **keywords)

    def test_worker_threads_timers_and_wasm(self):
        self.check_program("threads.js")

    @needs_package("express")
    def test_express(self):
        self.check_program("serve.js", options=("--net", "private"))

    @needs_package("typescript")
    def test_typescript(self):
        self.check_program("compile.js")

    @needs_package("typescript")
    def test_types_of_the_package(self):
        folder = self.folder("types")
        good = write(os.path.join(folder, "good.ts"), """import warm, { ready, type Outcome } from "warm";
            const outcome: Promise<Outcome> = ready({ argv: true, env: ["A*"], cwd: false, depends: [] });
            warm.beforeSnapshot(async () => {}); const n: bigint = warm.generation(); console.log(outcome, n);""")
        bad = write(os.path.join(folder, "bad.ts"), 'import { ready } from "warm"; ready({ env: "A" });')
        os.makedirs(os.path.join(folder, "node_modules"))
        os.symlink(HOOK, os.path.join(folder, "node_modules", "warm"))
        done = subprocess.run([NODE, os.path.join(PACKAGES, "typescript", "bin", "tsc"), "--noEmit", "--strict", "--target", "es2022",
                               "--module", "node16", good, bad], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual([line.split("(")[0] for line in done.stdout.splitlines() if "error TS" in line], ["bad.ts"], done.stdout)


if __name__ == "__main__":
    unittest.main()
