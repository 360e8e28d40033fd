# SPDX-License-Identifier: MIT
"""The Java machine with both collectors: javac in-process, some thousand classes loaded, a server, a full collection."""
import os
import subprocess
import unittest

from runtime import PROGRAMS, RuntimeCase
from test_java import JAR, JAVA, needs_java


@needs_java
class Java(RuntimeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classes = os.path.join(cls.daemon.dir, "classes")
        subprocess.run([JAVA + "c", "-cp", JAR, "-d", cls.classes, os.path.join(PROGRAMS, "Compile.java")], check=True)

    def check_collector(self, collector):
        self.check_launches(JAVA, collector, "-cp", f"{JAR}:{self.classes}", "Compile", options=("--net", "private"))

    def test_g1(self):
        self.check_collector("-XX:+UseG1GC")

    def test_serial(self):
        self.check_collector("-XX:+UseSerialGC")


if __name__ == "__main__":
    unittest.main()
