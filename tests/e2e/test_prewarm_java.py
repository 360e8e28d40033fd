# SPDX-License-Identifier: MIT
"""Java machines pre-warmed for programs that know nothing of Warm: what a copy does is what a cold start does."""
import glob
import os
import shutil
import signal
import subprocess

from case import harness, write
from harness import BUILD, CLONE_TIERS, ROOT, finish
from test_java import JAVA, needs_java
from test_prewarm import PrewarmCase


class JavaCase(PrewarmCase):
    config = "[java]\nprewarm = yes\n[python]\nprewarm = no\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classes = os.path.join(cls.place, "classes")
        subprocess.run([JAVA + "c", "-d", cls.classes, *glob.glob(os.path.join(ROOT, "tests/e2e/java/stop/*.java"))], check=True)
        cls.base = os.path.join(cls.place, "more")
        os.makedirs(cls.base)
        for name in ("a", "b c"):
            shutil.copytree(cls.classes, os.path.join(cls.base, name))

    def clone(self, *argv, **keywords):
        """A cold start of Java takes long: rather than try again and again, await the snapshot."""
        done = []

        def served():
            done.append(self.daemon.exec(*argv, **dict(keywords, options=("--explain",))))
            return done[-1].tier in CLONE_TIERS

        def ready():
            rows = [row for row in self.daemon.ls() if row["state"] == "published"]
            return {row["id"] for row in rows} - before and all(row["standbys"] for row in rows)
        before = self.snapshots()
        while not served() and harness.wait_for(ready, 20, 0.05):
            before = self.snapshots()
        done = done[-1]
        self.assertClone(done)
        done.err = "".join(line for line in done.err.splitlines(True) if '"tier"' not in line)
        return done

    def jar(self, name, manifest):
        path = os.path.join(self.place, name)
        text = write(os.path.join(self.place, name + ".mf"), manifest)
        subprocess.run([os.path.join(os.path.dirname(os.path.realpath(JAVA + "c")), "jar"), "cfm", path, text, "-C", self.classes, "."],
                       check=True)
        return path


@needs_java
class Java(JavaCase):
    def test_one_snapshot_serves_every_class_path_and_place(self):
        env = {"EMPTY": "", "UMLAUT": "ü", **{f"VARIABLE_{n}": "x" * n for n in range(100)}}
        self.check_same(JAVA, "-cp", self.classes, "State", "a", "-b", "", "c d", "ü", env=env, stdin="x")
        known = self.snapshots()
        for words, cwd in ((["-cp", self.classes, "State"], self.place), (["-classpath", "a", "State", "x"], self.base),
                           (["--class-path=../more/b c:a:none", "State", "@x"], self.base), (["--class-path", "", "State"], self.classes),
                           (["State", "*"], self.classes), (["-cp", ".:a", "NoMain"], self.classes), (["-cp", "a", "NoInit"], self.base),
                           (["-cp", "a", "Missing", "x"], self.base), (["-cp", "/none", "State"], self.base)):
            with self.subTest(words):
                self.check_same(JAVA, *words, cwd=cwd, stdin="yz")
        self.assertEqual(self.snapshots(), known)

    def test_class_path_of_the_environment(self):
        self.check_same(JAVA, "State", cwd=self.base, env={"CLASSPATH": "none:b c"}, stdin="")

    def test_archives(self):
        path = self.jar("app.jar", "Main-Class: State\nAdd-Opens: java.base/java.lang\n")
        self.check_same(JAVA, "-jar", path, "a", "-b", stdin="x")
        self.check_same(JAVA, "-cp", path, "State", stdin="x")
        other = self.jar("other.jar", "Main-Class: End\n")
        os.rename(other, path)
        done = self.daemon.exec(JAVA, "-jar", path, "exit", options=("--explain",))
        self.assertEqual((done.code, done.out), (7, "hook\n"))
        self.assertNotIn(done.tier, CLONE_TIERS)

    def test_archive_by_way_of_a_link(self):
        """`current` is put from one release onto another; then the archive itself is a link."""
        for name, main in (("r1", "State"), ("r2", "End")):
            os.mkdir(os.path.join(self.place, name))
            self.jar(name + "/app.jar", f"Main-Class: {main}\nAdd-Opens: java.base/java.lang\n")
        for link, before, after, path in (("current", "r1", "r2", "current/app.jar"), ("app", "r1/app.jar", "r2/app.jar", "app")):
            with self.subTest(link):
                link = os.path.join(self.place, link)
                words = [JAVA, "-jar", os.path.join(self.place, path), "exit"]
                os.symlink(before, link)
                self.check_same(*words, stdin="x")
                os.symlink(after, link + ".new")
                os.rename(link + ".new", link)
                done = self.assertCold(self.daemon.exec(*words, stdin="x"), link)
                self.assertEqual((done.code, done.out), (7, "hook\n"))

    def test_options(self):
        options = ["-Xmx200m", "-Xss2m", "-XX:+UseSerialGC", "-ea", "-Dmy.own=a b", "--add-opens", "java.base/java.util=ALL-UNNAMED"]
        self.check_same(JAVA, *options, "-cp", self.classes, "State", "x", stdin="")

    def test_how_programs_end(self):
        for how in ("return", "exit", "throw", "halt", "thread", "daemon", "other"):
            with self.subTest(how):
                self.check_same(JAVA, "-cp", self.classes, "End", how)
        self.check_same(JAVA, "-cp", self.classes, "End")
        for sent in (signal.SIGTERM, signal.SIGINT):
            for options in (("--cold",), ("--require",)):
                launch = self.daemon.popen(JAVA, "-cp", self.classes, "End", "wait", options=options)
                self.assertEqual(launch.stdout.readline(), b"up\n")
                launch.send_signal(sent)
                done = finish(launch)
                self.assertEqual((done.code, done.out, done.err), (128 + sent, "hook\n", ""))

    def test_copies_differ_in_what_is_random(self):
        self.clone(JAVA, "-cp", self.classes, "End", "return")
        launches = [self.daemon.popen(JAVA, "-cp", self.classes, "End", "random", options=("--require",)) for _ in range(3)]
        drawn = [finish(launch).out.split()[:5] for launch in launches]
        self.assertEqual([len(set(numbers)) for numbers in zip(*drawn)], [3] * 5, drawn)

    def test_left_alone(self):
        """Cold, again and again, and by name where the machine itself says why."""
        write(os.path.join(self.place, "words"), "-cp classes State")
        source = os.path.join(ROOT, "tests/e2e/java/stop/End.java")
        for words, env in ((["@words"], {}), ([source, "exit"], {}), (["-Xlog:gc", "-cp", "classes", "End", "exit"], {}),
                           (["-cp", "classes/*", "End", "exit"], {}), (["-Djava.security.manager", "-cp", "classes", "End", "exit"], {})):
            with self.subTest(words):
                known = self.snapshots()
                self.assertNotIn(self.daemon.exec(JAVA, *words, cwd=self.place, env=env).tier, CLONE_TIERS)
                self.assertEqual(self.snapshots(), known)
        for name, value, why in (("JAVA_TOOL_OPTIONS", "-Da=b", "writes something"), ("JDK_JAVA_OPTIONS", "-Da=b", "$JDK_JAVA_OPTIONS is set"),
                                 ("CLASSPATH", "x/*", "$CLASSPATH has a *")):
            with self.subTest(name):
                for again in range(2):
                    done = self.assertCold(self.daemon.exec(JAVA, "-cp", self.classes, "End", "exit", env={name: value}), *[why] * again)
                    self.assertEqual((done.code, done.out), (7, "hook\n"))


@needs_java
class Preload(JavaCase):
    config = "[java]\npreload = java.util.regex.Pattern no.such.Class\nkeep-env = APP_*\n"

    def test_preload_and_variables(self):
        self.check_same(JAVA, "-cp", self.classes, "State", env={"APP_X": "1"}, stdin="")
        self.assertIn("no.such.Class", self.daemon.log())
        self.assertNotIn(self.daemon.exec(JAVA, "-cp", self.classes, "State", env={"APP_X": "2"}, stdin="").tier, CLONE_TIERS)


@needs_java
class Hook(JavaCase):
    def test_a_program_with_a_hook_gets_its_own_snapshot(self):
        jar = os.path.join(BUILD, "java", "warm.jar")
        sources = glob.glob(os.path.join(ROOT, "tests/e2e/java/*.java"))
        subprocess.run([JAVA + "c", "-cp", jar, "-d", self.classes, *sources], check=True)
        self.clone(JAVA, "-cp", self.classes, "End", "return")
        words = [JAVA, "-cp", f"{jar}:{self.classes}", "Copy"]
        first = self.daemon.exec(*words)
        self.assertClone(first)
        self.assertIn("outcome=COLD", first.out)
        self.assertIn("outcome=RESTORED", self.clone(*words).out)
