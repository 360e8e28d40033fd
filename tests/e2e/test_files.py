# SPDX-License-Identifier: MIT
"""Files that a program opened before it was ready count, declared or not: opener.c declares nothing."""
import fcntl
import mmap
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import harness
from case import WarmCase, make_snapshot, write
from harness import OPENER, PYTHON, descendants, processes, wait_for
from refusals import refusal

DECLARES = """import sys
from warm import _daemon, _wire
with _daemon.connect() as connection:
    assert connection.is_wanted() and connection.declare(eval(sys.argv[1]))
    print(connection.ask(_wire.ready_request(connection.fileno(), False, 0, False, ())).outcome)
"""


class Files(WarmCase):
    publish_app = False

    def setUp(self):
        super().setUp()
        self.home = self.folder(self._testMethodName)
        self.file = write(os.path.join(self.home, "settings.txt"), "old\n")

    def tearDown(self):
        """No standby of one test is waited for in the next."""
        if self.daemon.process and self.daemon.process.poll() is None:
            self.daemon.warm("rm", *[row["id"] for row in self.daemon.ls()])
        super().tearDown()

    def opener(self, *words, **keywords):
        self.daemon.full_pool()
        return self.daemon.exec(OPENER, *words, **keywords)

    def path(self, name):
        return os.path.join(self.home, name)

    def refused(self, *words, naming):
        """A first launch whose snapshot is refused, with what looks like `naming`; the daemon says why."""
        before = len(self.daemon.log())
        first = self.opener(*words)
        self.assertEqual(first.code, 0, repr(first))
        said = wait_for(lambda: [line for line in self.daemon.log()[before:].splitlines() if "no snapshot" in line], 10)
        self.assertTrue(said, self.daemon.log()[before:])
        self.assertRegex(said[0], naming)
        self.assertEqual([row for row in self.daemon.ls() if row["command"][1:] == list(words)], [])
        self.assertRegex(self.assertCold(self.opener(*words)).reason, naming)
        return first


class Recorded(Files):
    def snapshot_of(self, *words):
        """Made by one launch: another one may write what this one has read."""
        first = self.opener(*words)
        self.assertEqual(first.code, 0, repr(first))
        there = wait_for(lambda: [row for row in self.daemon.ls() if row["command"][1:] == list(words) and row["standbys"]], 20)
        self.assertTrue(there, self.daemon.log()[-2000:])
        return self.assertClone(self.opener(*words)).out

    def stale_after(self, change, *words, naming=None):
        """A snapshot is there and serves; after the change it does not, and the reason names the file."""
        self.snapshot_of(*words)
        change()
        return self.assertCold(self.opener(*words), naming or self.file).out

    def test_edited(self):
        self.assertEqual(self.stale_after(lambda: write(self.file, "new\n"), "read", self.file), "new\n")

    def test_edited_within_its_size_and_time(self):
        stat = os.stat(self.file)

        def change():
            write(self.file, "NEW\n")
            os.utime(self.file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.assertEqual(self.stale_after(change, "read", self.file), "NEW\n")

    def test_replaced(self):
        def change():
            os.rename(write(self.path("other"), "other\n"), self.file)
        self.assertEqual(self.stale_after(change, "read", self.file, naming=self.file + " was replaced"), "other\n")

    def test_touched(self):
        self.stale_after(lambda: os.utime(self.file), "read", self.file)

    def test_deleted(self):
        self.assertEqual(self.stale_after(lambda: os.unlink(self.file), "read", self.file, naming=self.file + " is gone"),
                         "(none)\n")

    def test_opened_for_writing_too(self):
        self.assertEqual(self.stale_after(lambda: write(self.file, "new\n"), "edit", self.file), "new\n")

    def test_read_by_another_thread(self):
        self.assertEqual(self.stale_after(lambda: write(self.file, "new\n"), "thread", self.file), "new\n")

    def test_read_by_a_child(self):
        self.assertEqual(self.stale_after(lambda: write(self.file, "new\n"), "child", self.file), "new\n")

    def test_read_by_a_child_that_is_gone_at_once(self):
        self.assertEqual(self.stale_after(lambda: write(self.file, "new\n"), "fork", self.file), "new\n")

    def test_new_name_in_a_directory(self):
        os.mkdir(self.path("conf.d"))
        write(self.path("conf.d/one"), "")
        said = self.stale_after(lambda: write(self.path("conf.d/two"), ""), "list", self.path("conf.d"),
                                naming="conf.d has other entries")
        self.assertEqual(said, "one two ")

    def releases(self):
        """Two releases, and the links that lead to the first one: of the directory, of the file."""
        for name, text in (("r1", "old\n"), ("r2", "new\n")):
            os.mkdir(self.path(name))
            write(self.path(name + "/conf"), text)
        for link, target in (("current", "r1"), ("conf", "r1/conf")):
            os.symlink(target, self.path(link))

    def lead(self, link, target):
        os.symlink(target, self.path("new"))
        os.rename(self.path("new"), self.path(link))

    def test_link_leads_elsewhere(self):
        """By the name that an argument or a variable gave: what is opened is known by where that led to."""
        self.releases()
        for link, back, target, words, keywords in (
                ("current", "r1", "r2", ("read", self.path("current/conf")), {}),
                ("conf", "r1/conf", "r2/conf", ("read", self.path("conf")), {}),
                ("current", "r1", "r2", ("read", "current/conf"), {"cwd": self.home}),
                ("current", "r1", "r2", ("read", "./x/../current/conf"), {"cwd": self.home}),
                ("current", "r1", "r2", ("read", self.path("r1/conf")), {"env": {"CONF": "/nowhere:" + self.path("current")}})):
            with self.subTest(words=words):
                os.makedirs(self.path("x"), exist_ok=True)
                self.daemon.exec(OPENER, *words, **keywords)
                self.daemon.published(1, command=words[1])
                self.assertEqual(self.assertClone(self.daemon.exec(OPENER, *words, **keywords)).out, "old\n")
                self.lead(link, target)
                done = self.assertCold(self.daemon.exec(OPENER, *words, **keywords), link, "was replaced")
                self.assertEqual(done.out, "old\n" if "env" in keywords else "new\n")
                self.daemon.warm("rm", *[row["id"] for row in self.daemon.ls()])
                self.lead(link, back)

    def test_link_leads_elsewhere_before_it_is_ready(self):
        self.releases()
        words = ("read", self.path("current/conf"), "save", self.path("read"), "", "await", self.path("go"))
        first = self.daemon.popen(OPENER, *words)
        self.assertTrue(wait_for(lambda: os.path.exists(self.path("read")), 10))
        self.lead("current", "r2")
        write(self.path("go"), "")
        self.assertEqual(harness.finish(first).code, 0)
        self.assertTrue(wait_for(lambda: "a link, changed" in self.daemon.log(), 10))  # it runs on before that is known
        self.assertRegex(self.assertCold(self.opener(*words), self.path("current")).reason,
                         refusal("%s, a link, changed after the program had started"))

    def test_link_to_what_it_does_not_read(self):
        """A name that leads somewhere else is none of its business."""
        self.releases()
        words, env = ("read", self.file), {"CONF": self.path("current")}
        self.opener(*words, env=env)
        self.daemon.published(1, command=self.file)
        self.lead("current", "r2")
        self.assertClone(self.opener(*words, env=env))

    def test_only_written(self):
        """A log that it added a line to, and closed, is nothing that its state came from."""
        words = ("append", self.path("log"), "line", "read", self.file)
        self.snapshot_of(*words)
        with open(self.path("log"), "a", encoding="utf-8") as log:
            log.write("more\n")
        self.assertClone(self.opener(*words))

    def test_its_own_cache(self):
        """What it writes at each start and reads back is newer than its start, and no reason to refuse."""
        words = ("save", self.path("cache"), "cached", "read", self.path("cache"))
        self.assertEqual(self.stale_after(lambda: write(self.path("cache"), "x\n"), *words, naming=self.path("cache")),
                         "cached\n")

    def test_its_own_cache_replaced(self):
        cache = write(self.path("cache"), "of before\n")
        words = ("read", cache, "replace", cache, "new")
        self.assertEqual(self.snapshot_of(*words), "of before\n")
        write(cache, "x\n")
        self.assertCold(self.opener(*words), cache)

    def test_its_own_file_mapped(self):
        """Written at each start, and mapped: never read by read(2). Nor does another one call write(2)."""
        words = ("save", self.path("cache"), "text", "keep", self.path("cache"), "rwm")
        self.snapshot_of(*words)
        with open(self.path("cache"), "r+b") as file, mmap.mmap(file.fileno(), 0) as area:
            area[0:1] = b"x"
            self.assertCold(self.opener(*words), self.path("cache"))

    def test_temporary_file(self):
        words = ("save", self.path("tmp"), "text", "read", self.path("tmp"), "unlink", self.path("tmp"))
        self.assertEqual(self.snapshot_of(*words), "text\n")

    def test_own_names_in_a_listed_directory(self):
        words = ("list", self.home, "save", self.path("pid"), "1")
        self.assertEqual(self.snapshot_of(*words), "settings.txt ")

    def test_two_programs_at_once(self):
        """Each has its own files: a change of one's does not cost the other its snapshot."""
        other = write(self.path("other.txt"), "other\n")
        make_both = [threading.Thread(target=make_snapshot, args=(self.daemon, OPENER, "read", file)) for file in (self.file, other)]
        for thread in make_both:
            thread.start()
        for thread in make_both:
            thread.join()
        write(self.file, "new\n")
        self.assertEqual(self.assertCold(self.opener("read", self.file), self.file).out, "new\n")
        self.assertClone(self.opener("read", other))

    def test_many(self):
        many = self.folder("many")
        for i in range(1500):
            write(os.path.join(many, f"file{i:04}"), f"{i}\n")
        said = self.stale_after(lambda: write(os.path.join(many, "file1234"), "changed\n"), "all", many, naming="file1234")
        self.assertIn("changed\n1235\n", said)

    def test_shown(self):
        self.snapshot_of("read", self.file)
        self.assertIn(self.file, [file["path"] for row in self.daemon.ls() if self.file in row["command"]
                                  for file in self.show(row["id"])["files"]])

    def show(self, snapshot):
        return harness.json.loads(self.daemon.warm("--json", "show", snapshot).out)


NAMED = """import os, sys
with open(sys.argv[1].partition("=")[2] if sys.argv[1:] else os.environ["CONF"], encoding="utf-8") as file:
    text = file.read()
import warm
warm.ready()
print(text)
"""


class Spelled(Files):
    """What a launch names by way of symbolic links: `current` is put from one release onto another."""

    def setUp(self):
        super().setUp()
        for version in ("old", "new"):
            os.makedirs(self.path(version + "/d"))
            for name in ("/conf", "/d/conf"):
                write(self.path(version + name), version + "\n")
            shutil.copy(OPENER, self.path(version + "/opener"))
            write(self.path(version + "/main.py"), f"import time\nprint('ready', flush=True)\ntime.sleep(0.3)\nprint({version!r})\n")
        self.link("old", "cur")

    def link(self, target, name):
        os.symlink(target, self.path(name + ".new"))
        os.rename(self.path(name + ".new"), self.path(name))

    def moves(self, *argv, change=None, naming="cur", **keywords):
        """A snapshot serves, and once the link has been moved it does not."""
        make_snapshot(self.daemon, *argv, **keywords)
        self.assertEqual(self.assertClone(self.daemon.exec(*argv, **keywords)).out.split()[-1], "old")
        if change:
            change()
        else:
            self.link("new", "cur")
        self.daemon.full_pool()
        self.assertEqual(self.assertCold(self.daemon.exec(*argv, **keywords), self.path(naming)).out.split()[-1], "new")

    def test_directory(self):
        self.moves(OPENER, "all", self.path("cur/d"))

    def test_beginning_of_names(self):
        """Nothing has this name: the program makes others of it."""
        code = "import sys, warm; text = open(sys.argv[1] + 'nf').read(); warm.ready(); print(text)"
        self.moves(PYTHON, "-c", code, self.path("cur/co"))

    def test_link_to_a_link(self):
        """The one in the middle is moved; and what the file is a link to has one above it."""
        self.link("old/conf", "middle")
        self.link("middle", "conf")
        self.moves(OPENER, "read", self.path("conf"), change=lambda: self.link("new/conf", "middle"), naming="conf")
        self.link("cur/conf", "other")
        self.moves(OPENER, "read", self.path("other"), naming="other")

    def test_command(self):
        self.moves(self.path("cur/opener"), "read", self.path("cur/conf"))

    def test_option_and_variable(self):
        main = write(self.path("main.py"), NAMED)
        for words, keywords in ((["--conf=cur/conf"], {"cwd": self.home}), ([], {"env": {"CONF": self.path("cur/conf")}})):
            with self.subTest(words):
                self.link("old", "cur")
                self.moves(PYTHON, main, *words, **keywords)

    def test_program_without_a_hook(self):
        self.moves(PYTHON, self.path("cur/main.py"), options=("--explain", "--ready", "stdout:ready"))


class Running(Files):
    def running(self, *words):
        """A launch that runs until its standard input ends."""
        launch = self.daemon.popen(OPENER, *words, options=("--explain",), stdin=subprocess.PIPE)
        self.addCleanup(harness.kill_quietly, launch.pid)
        return launch

    def clone_with_input(self, *words):
        """A launch's standard input is a pipe: a key of its own."""
        def served():
            return harness.finish(self.running(*words)).tier in harness.CLONE_TIERS
        self.assertTrue(wait_for(served, 20, 0.1), self.daemon.log()[-2000:])
        self.daemon.full_pool()

    def answered(self, launch):
        """Runs by now: what was said of it has come."""
        return harness.explanation(launch.stderr.readline().decode())


class Writing(Running):
    """Files that it still has open, or mapped shared, for writing."""

    def append(self, path, text="more\n"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)

    def clone_of(self, *words):
        make_snapshot(self.daemon, OPENER, *words)
        return self.assertClone(self.opener(*words))

    def test_changed_under_it(self):
        for how in ("w", "rw", "rwa", "rwm"):
            with self.subTest(how=how):
                write(self.file, "old" * 2000)
                self.clone_of("keep", self.file, how)
                self.append(self.file)
                self.assertCold(self.opener("keep", self.file, how), self.file + " changed")

    def test_log(self):
        """In append mode, and never read: others may add to it, but not cut it."""
        words = ("keep", self.file, "a")
        self.clone_of(*words)
        self.append(self.file)
        self.assertClone(self.opener(*words))
        write(self.file, "x")
        self.assertCold(self.opener(*words), self.file + " was truncated")

    def test_two_copies_of_a_log(self):
        words = ("keep", self.file, "a")
        self.clone_with_input(*words)
        two = [self.running(*words), self.running(*words)]
        for launch in two:
            self.assertIn(self.answered(launch)["tier"], harness.CLONE_TIERS)
        for launch in two:
            harness.finish(launch)

    def test_two_copies_of_a_position(self):
        words = ("keep", self.file, "w")
        self.clone_with_input(*words)
        first = self.running(*words)
        self.assertIn(self.answered(first)["tier"], harness.CLONE_TIERS)
        self.assertCold(harness.finish(self.running(*words)), "another copy", self.file)
        self.daemon.stop()  # the claim is the copy's, not the daemon's
        self.daemon.start()
        self.assertCold(harness.finish(self.running(*words)), "another copy", self.file)
        self.assertEqual(harness.finish(first).code, 0)
        self.assertClone(harness.finish(self.running(*words)))

    def test_copy_killed(self):
        words = ("keep", self.file, "w")
        self.clone_with_input(*words)
        first = self.running(*words)
        self.assertIn(self.answered(first)["tier"], harness.CLONE_TIERS)
        first.kill()
        first.wait()
        self.assertTrue(wait_for(lambda: harness.finish(self.running(*words)).tier in harness.CLONE_TIERS, 5))

    def test_the_original_lives(self):
        words = ("keep", self.file, "w")
        original = self.running(*words)
        self.assertEqual(self.answered(original)["tier"], "cold_start")
        self.daemon.published(1, command=self.file)
        self.assertCold(harness.finish(self.running(*words)), "the original", self.file)
        harness.finish(original)
        self.assertClone(harness.finish(self.running(*words)))


class Mapped(Running):
    """Written through a mapping: times need not move, and inotify sees nothing."""

    def files(self, hows=("rwmd", "rwmdo")):
        """On a disk and on tmpfs, with the flags of `keep`: closed again, or kept open."""
        memory = tempfile.mkdtemp(prefix="warm-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, memory)
        for folder in (self.home, memory):
            for how in hows:
                path = os.path.join(folder, how)
                yield path, ("keep", path, how)

    def fresh(self, path, *words):
        """A snapshot whose original has ended without another store."""
        write(path, "A" * 4096)
        original = self.running(*words)
        self.assertEqual(self.answered(original)["tier"], "cold_start")
        self.daemon.published(1, command=path)
        return original

    def launch(self, *words, stores=None):
        """A whole launch, which stores that byte at its end. It never starts from what is no longer in the file."""
        done = harness.finish(self.running(*words), stores)
        self.assertEqual(done.out, "BB\n", repr(done))
        return done

    def test_the_original_stores(self):
        """Into a page that it has written to before: no time moves."""
        for path, words in self.files():
            self.assertEqual(harness.finish(self.fresh(path, *words), "C").out, "BB\n")
            self.assertCold(self.launch(*words), path + " changed")

    def test_a_copy_stores(self):
        """Whatever tier it was served from, the next launch hears of it."""
        for path, words in self.files():
            harness.finish(self.fresh(path, *words))
            self.assertEqual(self.launch(*words).tier, "hot")
            self.assertClone(self.launch(*words))   # nothing has been stored
            self.daemon.full_pool()
            self.assertClone(self.launch(*words, stores="C"))
            self.assertCold(self.launch(*words), path + " changed")

    def without_standby(self, path):
        row, = self.daemon.published(1, command=path)
        self.daemon.warm("pool", row["id"], "0")
        self.assertTrue(wait_for(lambda: not [row for row in self.daemon.ls() if path in row["command"] and row["standbys"]]))

    def without_template(self, _):
        self.daemon.stop()
        self.daemon.start()

    def test_a_copy_stores_in_lower_tiers(self):
        for tier, prepare in (("template", self.without_standby), ("cold_restore", self.without_template)):
            for path, words in self.files(("rwmd",)):
                harness.finish(self.fresh(path, *words))
                prepare(path)
                self.assertEqual(self.launch(*words, stores="C").tier, tier)
                self.assertCold(self.launch(*words), path + " changed")
                self.daemon.warm("rm", *[row["id"] for row in self.daemon.ls()])

    def test_somebody_else_stores(self):
        for path, words in self.files():
            harness.finish(self.fresh(path, *words))
            self.assertClone(self.launch(*words))
            with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as area:
                area[4095:4096] = b"x"
                self.assertCold(self.launch(*words), path + " changed")
                self.daemon.published(1, command=path)
                self.assertClone(self.launch(*words))
                area[4095:4096] = b"y"  # into the same page
                self.assertCold(self.launch(*words), path + " changed")

    def test_the_original_lives(self):
        for path, words in self.files():
            original = self.fresh(path, *words)
            self.assertCold(harness.finish(self.running(*words)), "the original", path, "mapped for writing")
            harness.finish(original)

    def test_two_copies(self):
        for path, words in self.files():
            harness.finish(self.fresh(path, *words))
            first = self.running(*words)
            self.assertIn(self.answered(first)["tier"], harness.CLONE_TIERS)
            self.assertCold(harness.finish(self.running(*words)), "another copy", path, "mapped for writing")
            harness.finish(first)


class Locks(Running):
    """Taken again at GO; one that is held elsewhere means a cold start."""

    def test_held_elsewhere(self):
        for how, take in (("ax", lambda fd: fcntl.flock(fd, fcntl.LOCK_SH)), ("as", lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)),
                          ("ap", lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX, 1, 5))):
            with self.subTest(how=how):
                words = ("keep", self.file, how)
                make_snapshot(self.daemon, OPENER, *words)
                with open(self.file, "r+b") as file:
                    take(file)
                    cold = self.assertCold(self.opener(*words), self.file + " is locked by another process")
                    self.assertEqual(cold.out, "locked by another\n")
                self.assertClone(self.opener(*words))

    def test_many_copies_want_one(self):
        words = ("keep", self.file, "ax")
        self.clone_with_input(*words)
        launches = [self.running(*words) for _ in range(4)]
        tiers = [self.answered(launch)["tier"] for launch in launches]
        self.assertEqual(tiers.count("cold_start"), 3, tiers)
        winner = launches.pop([tier == "cold_start" for tier in tiers].index(False))
        for launch in launches:
            self.assertEqual(harness.finish(launch).out, "locked by another\n")
        self.assertEqual(harness.finish(winner).out, "")
        self.assertClone(harness.finish(self.running(*words)))

    def test_shared(self):
        words = ("keep", self.file, "as")
        self.clone_with_input(*words)
        launches = [self.running(*words) for _ in range(3)]
        for launch in launches:
            self.assertIn(self.answered(launch)["tier"], harness.CLONE_TIERS)
        for launch in launches:
            harness.finish(launch)

    def test_the_original_holds_it(self):
        """The trial does without; a launch does not."""
        words = ("keep", self.file, "ax")
        original = self.running(*words)
        self.assertEqual(self.answered(original)["tier"], "cold_start")
        self.daemon.published(1, command=self.file)
        self.assertCold(harness.finish(self.running(*words)), self.file + " is locked by another process")
        harness.finish(original)
        self.assertClone(harness.finish(self.running(*words)))

    def test_of_the_launch(self):
        """As `flock FILE warm exec …` does it: the lock comes with the descriptor."""
        with open(self.path("lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            launch = {"pass_fds": [lock.fileno()]}
            make_snapshot(self.daemon, OPENER, "read", self.file, **launch)
            self.assertClone(self.daemon.exec(OPENER, "read", self.file, **launch))


class Spoilt(Files):
    """Nobody knows which of its states the program read: no snapshot, by name."""

    def changed_meanwhile(self, *words, change, naming):
        go = self.path("go")

        def meddle():
            wait_for(lambda: os.path.exists(self.path("read")), 10, 0.001)
            change()
            write(go, "")
        meddler = threading.Thread(target=meddle)
        meddler.start()
        self.refused(*words, "save", self.path("read"), "", "await", go, naming=naming)
        meddler.join()

    def test_changed_while_it_started(self):
        self.changed_meanwhile("read", self.file, change=lambda: write(self.file, "new\n"),
                               naming=re.escape(f"{self.file} changed"))    # since its start, or since it was looked at

    def test_replaced_while_it_started(self):
        self.changed_meanwhile("read", self.file, naming=refusal(f"{self.file} changed after the program had started"),
                               change=lambda: os.rename(write(self.path("other"), "new\n"), self.file))

    def test_own_file_changed_by_another(self):
        self.changed_meanwhile("save", self.file, "mine", "read", self.file, change=lambda: write(self.file, "new\n"),
                               naming=refusal(f"{self.file} changed after the program had started"))

    def test_name_added_to_a_listed_directory(self):
        os.mkdir(self.path("conf.d"))
        self.changed_meanwhile("list", self.path("conf.d"), change=lambda: write(self.path("conf.d/new"), ""),
                               naming=refusal(f"{self.path('conf.d')} changed after the program had started"))


class Declared(Files):
    """By a hook that is not one of ours."""

    def declares(self, what, words):
        script = write(self.path("main.py"), DECLARES)
        said = len(self.daemon.log())
        self.assertEqual(self.daemon.exec(PYTHON, script, what).code, 0)
        self.assertTrue(wait_for(lambda: "no snapshot" in self.daemon.log()[said:], 10), self.daemon.log()[said:])
        again = self.assertCold(self.daemon.exec(PYTHON, script, what))
        self.assertEqual(again.code, 0)
        self.assertRegex(again.reason, words)

    def test_relative_path(self):
        self.declares("[('no/such', ())]", refusal("the hook declared no/such, which is no absolute path"))

    def test_too_many(self):
        self.declares("[(f'/nowhere/{n}', ()) for n in range(65536)]", refusal("it depends on more than 65536 files"))


class Recorder(Files):
    """warm-opened does not keep up, dies, hangs."""

    def tearDown(self):
        super().tearDown()
        self.daemon.stop()  # it would not ask such a worker again for a minute

    def worker(self):
        table = processes()
        found = [pid for pid in descendants(self.daemon.process.pid) if table.get(pid, (0, ""))[1] == "warm-opened"]
        return found[0] if found else None

    def start_worker(self):
        make_snapshot(self.daemon, OPENER, "read", self.file)
        self.assertIsNotNone(self.worker())

    def test_overflow(self):
        self.start_worker()
        first = self.daemon.popen(OPENER, "await", self.path("go"), "read", self.file)
        wait_for(lambda: harness.alive(first.pid) and os.readlink(f"/proc/{first.pid}/exe") == OPENER, 10)
        before = len(self.daemon.log())
        worker = self.worker()
        os.kill(worker, signal.SIGSTOP)
        try:
            for i in range(17000):
                os.close(os.open(os.path.join(self.home, str(i)), os.O_CREAT | os.O_WRONLY, 0o600))
        finally:
            os.kill(worker, signal.SIGCONT)
        write(self.path("go"), "")
        self.assertEqual(harness.finish(first).out, "old\n")
        self.assertTrue(wait_for(lambda: "more files were opened at once" in self.daemon.log()[before:], 10),
                        self.daemon.log()[before:])

    def test_killed(self):
        self.start_worker()
        first = self.daemon.popen(OPENER, "await", self.path("go"), "read", self.file)
        wait_for(lambda: harness.alive(first.pid) and os.readlink(f"/proc/{first.pid}/exe") == OPENER, 10)
        before = len(self.daemon.log())
        os.kill(self.worker(), signal.SIGKILL)
        write(self.path("go"), "")
        self.assertEqual(harness.finish(first).out, "old\n")
        self.assertTrue(wait_for(lambda: refusal("what it opened is not known: %s").search(self.daemon.log()[before:]), 10),
                        self.daemon.log()[before:])
        self.assertClone(self.opener("read", self.file))

    def test_hangs(self):
        self.start_worker()
        worker = self.worker()
        os.kill(worker, signal.SIGSTOP)
        try:
            self.assertEqual(self.refused("read", write(self.path("a"), "a\n"), naming=refusal("what it opened is not known: %s does not answer%s")).out, "a\n")
        finally:
            harness.kill_quietly(worker, signal.SIGCONT)


class Undeclared(Files):
    """Where opened files are not recorded, what the program declares, maps and keeps open has to do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.stop()
        config = write(os.path.join(cls.daemon.dir, "warmd.conf"), "[snapshot]\nrecord-opened = no\n[python]\nprewarm = no\n")
        cls.daemon.options = ("--config", config)

    def test_switched_off(self):
        make_snapshot(self.daemon, OPENER, "read", self.file)
        write(self.file, "new\n")
        self.assertEqual(self.assertClone(self.opener("read", self.file)).out, "old\n")
        self.assertIn("record-opened", self.daemon.warm("doctor").out)


class NotAllowed(Files):
    """A daemon that may not use fanotify: `warm doctor` says what that costs, and launches work."""

    def restart(self, *starter):
        self.daemon.stop()
        self.daemon.starter = starter
        self.addCleanup(setattr, self.daemon, "starter", [])
        self.addCleanup(self.daemon.stop)
        self.daemon.start()

    def doctor(self):
        done = self.daemon.warm("doctor")
        line, = [line for line in done.out.splitlines() if "fanotify" in line]
        self.assertIn("files that a program opens and closes before it is ready are not recorded", line)
        self.assertIn("(Operation not permitted)", line)
        return done

    def test_nothing_but_fanotify(self):
        library = self.path("denies.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], check=True, text=True,
                       input="#include <errno.h>\nint fanotify_init(unsigned a, unsigned b) { errno = EPERM; return -1; }\n")
        self.restart("env", "LD_PRELOAD=" + library)
        self.assertEqual(self.doctor().code, 0)     # hot launches work
        make_snapshot(self.daemon, OPENER, "read", self.file)
        write(self.file, "new\n")
        self.assertEqual(self.assertClone(self.opener("read", self.file)).out, "old\n")     # as it says
        make_snapshot(self.daemon, OPENER, "keep", self.file, "r")
        write(self.file, "newer\n")
        self.assertCold(self.opener("keep", self.file, "r"), self.file)

    def test_no_administrator(self):
        self.restart("setpriv", "--bounding-set=-sys_admin")
        self.assertEqual(self.doctor().code, 1)     # nor do they
        for _ in range(2):
            result = self.assertCold(self.opener("read", self.file))
            self.assertEqual((result.code, result.out), (0, "old\n"))
            self.assertIn("hot launches need", result.reason)
        self.assertEqual(self.daemon.ls(), [])
