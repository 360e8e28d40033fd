# SPDX-License-Identifier: MIT
"""Java: the hook and org.crac, against a played daemon and in copies of real programs."""
import glob
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from case import WarmCase, make_snapshot, write
from harness import BUILD, ROOT, base_env, finish
from test_hook import PENDING, Daemon, reply, wire
from test_unwanted import race

JAVA = shutil.which("java", path=base_env()["PATH"])
JAR = os.path.join(BUILD, "java", "warm.jar")
REASON = 2  # of Hook in rpc.proto
needs_java = unittest.skipUnless(JAVA and os.path.exists(JAR), "no JDK when Warm was built, or no java here")


def compile_programs(folder):
    """Returns the class path."""
    classes = os.path.join(folder, "classes")
    subprocess.run([JAVA + "c", "-cp", JAR, "-d", classes, *glob.glob(os.path.join(ROOT, "tests/e2e/java/*.java"))], check=True)
    return classes


def told(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("{"))


@needs_java
class JavaHook(unittest.TestCase):
    """The Java machine against a daemon that is played here."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="warm-java-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.classes = compile_programs(cls.folder)

    def play(self, *argv, answers=(), first=PENDING, env=None):
        path = os.path.join(self.folder, "s")
        self.daemon = Daemon(path, answers, first)
        done = subprocess.run([JAVA, *argv], cwd=self.folder, env=dict(base_env(), WARM_SOCKET=path, **(env or {})),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        self.daemon.socket.close()
        self.daemon.thread.join(5)
        os.unlink(path)
        return done

    def assertServer(self, done, reason):
        """It hears why there is no snapshot each time that it asks, and runs on."""
        self.assertEqual(done.stdout.splitlines(), [f"called off: {reason}", f"called off again: {reason}", "you asked for /0"], done.stderr)

    def test_refusal_is_said_and_the_program_goes_on(self):
        hook = wire.number(wire.OUTCOME, wire.COLD) + wire.text(REASON, "the moon is full")
        refused = wire.MAGIC + wire.number(1, 1) + wire.text(wire.HOOK, hook)
        done = self.play("-cp", f"{JAR}:{self.classes}", "Copy", answers=[refused])
        said = told(done.stdout)
        self.assertEqual((said["outcome"], said["calls"]), ("COLD COLD", "before two, before one, after one, after two"), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("the moon is full", done.stderr)
        done = self.play("-cp", f"{JAR}:{self.classes}", "Server", answers=[refused])
        self.assertServer(done, "the moon is full []")

    def test_daemon_that_wants_nothing_is_told_nothing(self):
        done = self.play("-cp", f"{JAR}:{self.classes}", "Copy", first=reply(wire.COLD))
        self.assertEqual((told(done.stdout)["calls"], done.stderr, self.daemon.ready, self.daemon.depends), ("", "", None, []))

    def test_daemon_that_wants_nothing_any_more_is_no_failure(self):
        """Behind the hook's first word, when its resources are told already."""
        done = self.play("-cp", f"{JAR}:{self.classes}", "Copy", answers=[reply(wire.UNWANTED)])
        said = told(done.stdout)
        self.assertEqual((said["outcome"], said["calls"]), ("COLD COLD", "before two, before one, after one, after two"))
        self.assertEqual(done.stderr, "")
        done = self.play("-cp", f"{JAR}:{self.classes}", "Server", answers=[reply(wire.UNWANTED)])
        self.assertEqual((done.stdout, done.stderr), ("you asked for /0\n", ""))

    def test_resource_that_fails_before_calls_the_snapshot_off(self):
        """All are told, before and after, whatever one of them throws."""
        done = self.play("-cp", f"{JAR}:{self.classes}", "Copy", env={"APP_FAIL": "before two"})
        said = told(done.stdout)
        self.assertEqual((said["outcome"], said["calls"]), ("COLD COLD", "before two, before one, after one, after two"))
        self.assertIn("no luck: no snapshot is taken", done.stderr)
        done = self.play("-cp", f"{JAR}:{self.classes}", "Server", env={"FAIL": "1"})
        self.assertServer(done, "null [java.lang.IllegalStateException: not now]")
        self.assertIsNone(self.daemon.ready)

    def test_resource_that_asks_for_a_snapshot_calls_it_off(self):
        done = self.play("-cp", f"{JAR}:{self.classes}", "Server", env={"RECURSE": "1"})
        self.assertServer(done, "null [org.crac.CheckpointException: a resource asked for a snapshot while one was being taken]")
        self.assertIsNone(self.daemon.ready)

    def test_code_and_the_places_it_was_looked_for_are_declared(self):
        for name in "empty", "archives":
            os.makedirs(os.path.join(self.folder, name))
        shutil.copy(JAR, os.path.join(self.folder, "archives", "a.jar"))
        write(os.path.join(self.folder, "options"), "-Dx=y")
        done = self.play("@options", "-cp", "empty:archives/*:none.jar:classes", "Copy", "a", "b", answers=[reply(wire.RESUMED)])
        paths = self.daemon.paths()
        for name in ("empty/Copy.class", "classes/Copy.class", "classes/Copy$Told.class", "archives", "archives/a.jar", "none.jar",
                     "data.txt", "options"):
            self.assertIn(os.path.join(self.folder, name), paths, done.stderr)
        self.assertNotIn(os.path.join(self.folder, "classes/Server.class"), paths)
        self.assertTrue([path for path in paths if path.endswith("/conf/security/java.security")])
        ready = dict(self.daemon.ready)
        self.assertEqual((ready[wire.ARGV_FROM_LAUNCH], ready[wire.FIXED_ARGS]), (1, 5))
        self.assertEqual(told(done.stdout)["outcome"], "RESUMED RESUMED")

    def test_org_crac_without_its_library(self):
        """Where the jar alone was copied to; nobody is told."""
        alone = os.path.join(self.folder, "a", "b", "c")
        os.makedirs(alone)
        shutil.copy(JAR, alone)
        if any(os.path.exists(os.path.join(place, "libwarmjava.so")) for place in ("/usr/lib", "/usr/local/lib")):
            self.skipTest("Warm is installed here: its library is found anyway")
        done = subprocess.run([JAVA, "-cp", f"{alone}/warm.jar:{self.classes}", "Crac", "x"], env=dict(base_env(), LD_LIBRARY_PATH=""),
                              capture_output=True, text=True, timeout=60, check=False)
        said = told(done.stdout)
        self.assertEqual((said["implemented"], said["calls"], done.returncode), ("false false", "", 0), done.stderr)
        self.assertRegex(said["outcome"], "^unsupported: .*libwarmjava")
        self.assertEqual(said["again"], said["outcome"] + " []")


@needs_java
class Copies(WarmCase):
    """One snapshot for most of them, which has read its input ahead."""

    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classes = compile_programs(cls.daemon.dir)
        cls.copy = [JAVA, "-XX:+UseG1GC", "-Dearly=true", "-Dlitter=150", "-cp", f"{JAR}:{cls.classes}", "Copy"]
        first = cls.daemon.popen(*cls.copy, "a", env={"APP_ONE": "1", "TZ": "UTC"}, stdin=subprocess.PIPE, cwd=cls.daemon.dir)
        first.stdin.write(b"early")
        first.stdin.flush()
        cls.row, = cls.daemon.published(command="Copy")
        cls.first = finish(first, " late")

    def clone(self, *argv, stdin="", **keywords):
        result = self.assertClone(self.daemon.exec(*argv, stdin=stdin, **keywords))
        self.assertEqual(result.code, 0, repr(result))
        return result

    def test_original_keeps_everything(self):
        said, here = told(self.first.out), self.daemon.dir
        self.assertEqual(said["outcome"], "RESUMED RESUMED")
        self.assertEqual((said["args"], said["env"], said["input"], said["zone"]), ("a", "1 null null 1", "arly late", "UTC"))
        self.assertEqual((said["cwd"], said["generation"]), (f"{here} {here}/x {here}/x", "0"))
        self.assertEqual(self.first.out.count("ahead\n"), 1)

    def test_copy_is_what_was_launched(self):
        result = self.clone(*self.copy, "", "c d", "ü", env={"APP_ONE": "2", "ONE": "o", "TZ": "Asia/Tokyo", "COLUMNS": "7"}, cwd="/usr",
                            stdin="mine")
        said = told(result.out)
        self.assertEqual(said["outcome"], "RESTORED RESTORED")
        self.assertEqual((said["args"], said["env"], said["input"], said["zone"]), ("|c d|ü", "2 o null 2", "mine", "Asia/Tokyo"))
        self.assertEqual(said["columns"], "7 7")    # which no key looks at
        self.assertEqual((said["cwd"], said["child"]), ("/usr /usr/x /usr/x", "2 /usr"))
        self.assertEqual(said["calls"], "before two, before one, after one, after two")
        self.assertEqual((said["work"], said["ratios"]), ("true", told(self.first.out)["ratios"]))
        self.assertNotIn("ahead\n", result.out)

    def test_random_numbers_of_copies_at_once_differ(self):
        launches = [self.daemon.popen(*self.copy, options=("--explain",), stdin=subprocess.PIPE) for _ in range(3)]
        seen = [told(self.assertClone(finish(launch, "")).out) for launch in launches]
        names = [name for name in seen[0] if name.startswith("random ") or name == "generation"]
        self.assertEqual(len(names), 25, names)
        for name in names:
            self.assertEqual(len({said[name] for said in seen}), 3, f"{name}: {[said[name] for said in seen]}")

    def test_resource_that_fails_after_restore_ends_the_copy(self):
        result = self.assertClone(self.daemon.exec(*self.copy, stdin="", env={"APP_FAIL": "after one"}))
        self.assertEqual((result.code, result.out), (125, ""))
        self.assertOneLine(result.err, "afterRestore", "no luck", "--cold")

    def test_free_heap_is_no_part_of_a_snapshot(self):
        """150 MB of garbage that cannot be packed; G1 keeps a part of it."""
        self.assertLess(self.row["stored_bytes"], 75 << 20)

    def test_serial_collector(self):
        argv = [JAVA, "-XX:+UseSerialGC", *self.copy[4:]]
        make_snapshot(self.daemon, *argv, stdin="")
        said = told(self.clone(*argv, "x").out)
        self.assertEqual((said["outcome"], said["work"], said["args"]), ("RESTORED RESTORED", "true", "x"))

    def test_program_for_org_crac_and_a_change_of_its_class(self):
        argv = [JAVA, "-cp", f"{self.classes}:{JAR}", "Server", "argument"]
        make_snapshot(self.daemon, *argv)
        launches = [self.daemon.popen(*argv, options=("--explain",)) for _ in range(2)]
        for launch in launches:
            self.assertEqual(self.assertClone(finish(launch)).out, "you asked for /1\n")
        path = os.path.join(self.classes, "Server.class")
        with open(path, "rb") as file:
            code = file.read()
        with open(path, "wb") as file:
            file.write(code.replace(b"you asked for", b"we asked for "))
        result = self.assertCold(self.daemon.exec(*argv), "Server.class")
        self.assertEqual(result.out, "we asked for  /1\n")

    def test_launches_while_the_first_snapshot_is_on_its_way(self):
        classes = ["-cp", f"{JAR}:{self.classes}", "Again"]
        self.assertEqual(race(self, JAVA, *classes), [("after\ncold\n", "", 0), ("cold\n", "", 0)])
        crac = [JAVA, "-Dcrac=true", *classes]
        told_all, told_none = "up\nbefore\nafter\nwent on\n", "up\nwent on\n"
        first = self.daemon.popen(*crac)
        self.assertEqual("".join(first.stdout.readline().decode() for _ in range(4)), told_all)
        again = self.assertCold(self.daemon.exec(*crac))
        done = finish(first)
        self.assertEqual((done.err, done.code), ("", 0))
        self.assertEqual((again.out, len(again.err.splitlines()), again.code), (told_none, 1, 0), again.err)
        launches = [self.daemon.popen(*crac, "x") for _ in range(3)]
        done = [finish(launch) for launch in launches]
        self.assertEqual(sorted(each.out for each in done), sorted([told_all, told_none, told_none]))
        self.assertEqual([(each.err, each.code) for each in done], [("", 0)] * 3)

    # In each run: the order, who passes it on, and whom nobody held is not told.
    CRAC = {"same": "true", "null": "no", "implemented": "true true", "bean": "org.crac.management:type=CRaC -1 -1",
            "calls": "before last, before inner two, before inner one, before first, "
                     "after first, after inner one, after inner two, after last"}

    def assertCrac(self, result, outcome):
        """Returns when it was restored, and how long ago that is."""
        said = told(result.out)
        self.assertEqual({name: said[name] for name in self.CRAC}, self.CRAC, result.err)
        self.assertEqual((said["outcome"], said["again"]), (outcome, "went on []"))
        return int(said["restored"]), int(said["uptime"])

    def test_org_crac(self):
        argv = [JAVA, "-cp", f"{JAR}:{self.classes}", "Crac", "x"]
        self.assertEqual(self.assertCrac(self.daemon.exec(*argv, stdin=""), "went on"), (-1, -1))
        make_snapshot(self.daemon, *argv, stdin="")
        began = int(time.time() * 1000)
        restored, uptime = self.assertCrac(self.clone(*argv), "went on")
        ended = int(time.time() * 1000) + 1
        self.assertTrue(began <= restored <= restored + uptime <= ended, (began, restored, uptime, ended))

    def test_org_crac_where_resources_fail_in_the_original(self):
        """It hears of all of them; the snapshot is taken, and a copy of it ends."""
        argv = [JAVA, "-cp", f"{JAR}:{self.classes}", "Crac", "fails"]
        failed = "failed: [" + ", ".join("java.lang.IllegalStateException: " + name for name in ("first", "inner one", "inner two")) + "]"
        self.assertCrac(self.daemon.exec(*argv, stdin=""), failed)
        self.daemon.published(command="fails")
        result = self.assertClone(self.daemon.exec(*argv, stdin=""))
        self.assertEqual(result.code, 125)
        self.assertOneLine(result.err, "afterRestore", "IllegalStateException: first")

    def test_what_cannot_be_copied_is_named_and_the_program_goes_on(self):
        result = self.daemon.exec(JAVA, "-cp", f"{JAR}:{self.classes}", "Watch", options=())
        self.assertEqual((result.code, result.out), (0, "COLD\n"))
        self.assertIn("inotify", result.err)


if __name__ == "__main__":
    unittest.main()
