# SPDX-License-Identifier: MIT
"""Launches from disk: no template is there, or may be. A loader that waits becomes the program."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time

import test_launch
import test_life
import test_net
import test_terminal
from case import WarmCase, make_snapshot, read, write
from harness import APP, PYTHON, alive, descendants, finish, kill_quietly, processes, program_behind, wait_for

FAMILY = """import os, threading
import warm
threading.Thread(target=threading.Event().wait, daemon=True).start()
warm.ready()
with open("/proc/self/status") as status:
    print(os.getpid(), os.getppid(), os.getsid(0) == os.getpid(), sorted(os.listdir("/proc/self/task")), flush=True)
"""
GROWS = """import mmap, os, subprocess
import warm
old = bytearray(os.urandom(6 << 20))
copy = bytes(old)
place = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
place[:] = copy[:4 << 20]
warm.ready()
child = os.fork()
if child == 0:
    os._exit(7 if bytes(old) == copy else 8)
place.madvise(mmap.MADV_DONTNEED, 0, 1 << 20)
print(os.waitpid(child, 0)[1] >> 8, bytes(old) == copy, place[:1 << 20] == bytes(1 << 20),
      place[1 << 20:] == copy[1 << 20:4 << 20], subprocess.run(["/bin/echo", "child"], capture_output=True).stdout)
"""


def stats(daemon):
    return json.loads(daemon.warm("--json", "stats").out)


WAITS = """import os
import warm
parts = [os.urandom(4096) * 64 for _ in range(100)]
total = sum(part[::4096][0] for part in parts)
warm.ready()
if {fork} and (child := os.fork()):
    os._exit(os.waitpid(child, 0)[1] >> 8)
print("ready", flush=True)
input()
print(total == sum(part[::4096][0] for part in parts), len(set(parts)), flush=True)
"""


def flip(path, at):
    with open(path, "r+b") as image:
        image.seek(at)
        byte = image.read(1)
        image.seek(at)
        image.write(bytes([byte[0] ^ 1]))


class Disk(WarmCase):
    from_disk = True

    def loaders(self):
        return [pid for pid in descendants(self.daemon.process.pid) if processes().get(pid, (0, ""))[1] == "warm-restore"]

    def assertFromDisk(self, result):
        self.assertEqual((result.code, result.tier), (0, "cold_restore"), f"{result!r}\n{self.daemon.log()[-1500:]}")
        return result

    def test_no_memory_is_spent(self):
        self.assertFromDisk(self.app("outcome"))
        figures = stats(self.daemon)
        self.assertEqual((figures["templates"], figures["standbys"]), (0, 0))
        self.assertTrue(wait_for(lambda: stats(self.daemon)["loaders"] == 2, 5), stats(self.daemon))

    def test_ten_at_once(self):
        launches = [self.daemon.popen(APP, "args", str(i), options=("--explain",)) for i in range(10)]
        for i, process in enumerate(launches):
            self.assertEqual(self.assertFromDisk(finish(process)).out, f"{APP}|args|{i}\n")

    def test_family(self):
        script = write(os.path.join(self.daemon.dir, "family.py"), FAMILY)
        first = self.daemon.exec(PYTHON, script)
        self.daemon.published(command=script)
        again = self.assertFromDisk(self.daemon.exec(PYTHON, script))
        pid, parent, leads, tasks = re.match(r"(\d+) (\d+) (\w+) (.*)", again.out).groups()
        self.assertEqual((pid, tasks), re.match(r"(\d+) \d+ \w+ (.*)", first.out).groups())
        self.assertEqual((parent, leads), ("1", "False"))

    def test_memory_that_grows_shrinks_and_is_forked(self):
        script = write(os.path.join(self.daemon.dir, "grows.py"), GROWS)
        first = self.daemon.exec(PYTHON, script)
        self.daemon.published(command=script)
        self.assertEqual(first.out, "7 True True True b'child\\n'\n")
        for result in [finish(p) for p in [self.daemon.popen(PYTHON, script, options=("--explain",)) for _ in range(3)]]:
            self.assertEqual(self.assertFromDisk(result).out, first.out)
            self.assertGreater(result.explained["placed_pages"], 10)

    def test_killed_loaders_are_replaced(self):
        self.assertTrue(wait_for(lambda: len(self.loaders()) == 2, 5))
        before = self.loaders()
        for pid in before:
            kill_quietly(pid)
        for _ in range(2):  # whatever it finds there; behind a failure a launch is cold
            self.assertEqual(self.app("outcome").code, 0)
        self.assertTrue(wait_for(lambda: stats(self.daemon)["loaders"] == 2, 10), self.daemon.log()[-1000:])
        self.assertFalse(set(before) & set(self.loaders()))
        self.assertFromDisk(self.app("outcome"))

    def test_stopped_loader_is_waited_for(self):
        self.assertTrue(wait_for(lambda: stats(self.daemon)["loaders"] == 2, 5))
        stopped = self.loaders()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            process = self.daemon.popen(APP, "outcome", options=("--explain",))
            self.assertTrue(wait_for(lambda: stats(self.daemon)["loaders"] < 2, 5))
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        self.assertFromDisk(finish(process))

    def test_clone_outlives_the_daemon(self):
        launch = self.daemon.popen(APP, "trap")
        self.assertEqual(launch.stdout.readline(), b"trapping\n")
        clone = program_behind(launch)
        self.daemon.stop(signal.SIGKILL)
        self.assertTrue(alive(clone))
        os.kill(launch.pid, signal.SIGUSR1)
        self.assertIn(b"signal 10 ", launch.stdout.readline())
        os.kill(launch.pid, signal.SIGQUIT)
        launch.communicate(timeout=5)
        self.assertEqual(launch.returncode, 0)

    def pagers(self):
        """Without their guardians, which are nobody's children."""
        return [pid for pid in descendants(self.daemon.process.pid) if processes().get(pid, (0, ""))[1] == "warm-pager"]

    def waiting(self, fork):
        """A program that has yet to read most of its memory, behind a launch that has said "ready"."""
        script = write(os.path.join(self.daemon.dir, f"waits{fork:d}.py"), WAITS.format(fork=fork))
        self.assertEqual(self.daemon.exec(PYTHON, script, stdin="\n").code, 0)
        self.daemon.published(command=script)
        (row,) = [row for row in self.daemon.ls() if script in row["command"]]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.aside())
        os.link(self.image(row), self.aside())  # it may be stored anew meanwhile: this one is what the launch has
        launch = self.daemon.popen(PYTHON, script, options=("--require",), stdin=subprocess.PIPE)
        self.assertEqual(launch.stdout.readline(), b"ready\n")
        return launch, script

    def assertLost(self, launch):
        out, err = launch.communicate(b"\n", timeout=20)
        self.assertEqual(launch.returncode, 125, (out, err))
        self.assertNotIn(b"False", out)
        self.assertOneLine(err.decode(), "its memory could not be brought from disk")

    def test_killed_pager_ends_the_program_by_name(self):
        for fork in (False, True):
            with self.subTest(fork=fork):
                launch, script = self.waiting(fork)
                (pager,) = self.pagers()
                kill_quietly(pager)
                self.assertLost(launch)
                # launches go on: all of an image is read until the pager is there again
                self.assertIn("True 100", self.daemon.exec(PYTHON, script, stdin="\n").out)
                self.assertTrue(wait_for(lambda: len(self.pagers()) == 1, 10), self.daemon.log()[-1000:])

    def test_program_goes_on_without_the_daemon(self):
        launch, _ = self.waiting(False)
        self.daemon.stop(signal.SIGKILL)
        self.assertEqual(launch.communicate(b"\n", timeout=20)[0], b"True 100\n")
        self.daemon.start()

    def image(self, row):
        return os.path.join(self.daemon.root, "images", row["id"] + ".warm")

    def aside(self):
        return os.path.join(self.daemon.root, "aside")

    def test_damaged_block_ends_the_program_by_name(self):
        launch, _ = self.waiting(False)
        for share in range(1, 20):  # several of its parts: which block lies where is not known here
            flip(self.aside(), os.path.getsize(self.aside()) * share // 20)
        self.assertLost(launch)
        self.assertIn("checksum differs", self.daemon.log())

    def test_damaged_image_is_no_answer(self):
        script = write(os.path.join(self.daemon.dir, "damaged.py"), test_launch.STANDS_IN.format(folder="/"))
        row = make_snapshot(self.daemon, PYTHON, script)
        flip(self.image(row), 4096 + 100)
        for _ in range(3):
            result = self.assertCold(self.daemon.exec(PYTHON, script), "checksum differs")
            self.assertEqual(result.out.split(), ["cold"])


LEARNS = """import os, sys
import warm
parts = [os.urandom(4096) * 64 for _ in range(100)]
warm.ready()
print(hash(b"".join(part[4096 * i:4096 * i + 1] for part in parts[::2] for i in range(0, 64, 3))) is not None,
      sum(part[4096 * i] == part[0] for part in parts[::2] for i in range(0, 64, 3)), flush=True)
sys.stdin.read()
"""


class Learning(WarmCase):
    """What launches ask the pager for lies in front of the image when it has been stored anew."""

    from_disk = True
    publish_app = False

    def show(self, row):
        return json.loads(self.daemon.warm("--json", "show", row["id"]).out)

    @contextlib.contextmanager
    def launch(self, script):
        """One that has its answer, and lives on meanwhile."""
        launch = self.daemon.popen(PYTHON, script, options=("--explain", "--require"), stdin=subprocess.PIPE)
        self.assertEqual(launch.stdout.readline(), b"True 1100\n", self.daemon.log()[-1500:])
        yield
        result = finish(launch)
        self.assertEqual((result.code, result.tier), (0, "cold_restore"), repr(result))

    def learnt(self, row, launches):
        self.assertTrue(wait_for(lambda: self.show(row)["learnt_launches"] >= launches, 20), self.daemon.log()[-1500:])
        return self.show(row)

    def image(self, row):
        return os.path.join(self.daemon.root, "images", row["id"] + ".warm")

    def published(self, name):
        script = write(os.path.join(self.daemon.dir, name + ".py"), LEARNS)
        self.daemon.exec(PYTHON, script, stdin="")
        self.daemon.published(command=script)
        (row,) = [row for row in self.daemon.ls() if script in row["command"]]
        return script, row

    def test_next_launch_has_it_at_once(self):
        script, row = self.published("learns")
        with self.launch(script):
            shown = self.learnt(row, 1)
        self.assertGreater(shown["last_faults"], 1000)
        self.assertGreaterEqual(shown["working_set_bytes"], 1000 * 4096)
        self.assertEqual(shown["working_set_bytes"], shown["learnt_bytes"])
        self.assertEqual(shown["stored_bytes"], os.path.getsize(self.image(row)))
        self.assertEqual(self.daemon.warm("verify", row["id"]).code, 0)
        with self.launch(script):
            self.assertTrue(wait_for(lambda: self.show(row)["last_faults"] < 50, 10), self.show(row)["last_faults"])
        self.daemon.stop()
        self.daemon.start()
        again = self.show(row)
        self.assertGreaterEqual((again["learnt_launches"], again["working_set_bytes"]), (1, shown["working_set_bytes"]))
        with self.launch(script):
            pass
        flip(self.image(row), 4096 + 4096 * 700)    # among the first pages now
        result = self.daemon.exec(PYTHON, script, stdin="")
        self.assertEqual(result.out, "True 1100\n")
        self.assertCold(result, "checksum differs")
        self.assertEqual(self.daemon.warm("verify", row["id"]).code, 1)

    def caught(self):
        """A warm-store, as soon as there is one; it takes some ten milliseconds."""
        spawn = self.daemon.process.pid
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            for pid in read(f"/proc/{spawn}/task/{spawn}/children").split():
                try:
                    if read(f"/proc/{pid}/comm") == "warm-store\n":
                        return int(pid)
                except OSError:
                    pass    # it has ended
        return self.fail(self.daemon.log()[-1000:])

    def test_killed_in_the_middle(self):
        script, row = self.published("killed")
        before = os.stat(self.image(row))
        with self.launch(script):
            kill_quietly(self.caught())
        self.assertTrue(wait_for(lambda: "does not learn" in self.daemon.log(), 5), self.daemon.log()[-1000:])
        self.assertEqual(os.stat(self.image(row)).st_ino, before.st_ino)
        self.assertEqual(self.daemon.warm("verify", row["id"]).code, 0)
        with self.launch(script):
            self.learnt(row, 1)

    def test_removed_in_the_middle(self):
        script, row = self.published("removed")
        with self.launch(script):
            store = self.caught()
        os.kill(store, signal.SIGSTOP)
        self.assertEqual(self.daemon.warm("rm", row["id"]).code, 0)
        self.assertTrue(wait_for(lambda: not alive(store), 5))
        self.assertFalse(os.path.exists(self.image(row)))
        self.assertNotIn(row["id"], [other["id"] for other in self.daemon.ls()])


class First(WarmCase):
    """The first launch behind a restart of the daemon does not wait for the template; the next ones have it."""

    def test_then_hot(self):
        self.daemon.stop()
        self.daemon.start()
        self.assertTrue(wait_for(lambda: stats(self.daemon)["loaders"] == 2, 5))
        self.assertEqual(self.app("outcome").tier, "cold_restore")
        self.daemon.full_pool()
        self.assertEqual(self.app("outcome").tier, "hot")


class Failing(test_launch.Failing):
    from_disk = True


class Clones(test_life.Clones):
    from_disk = True


class Taken(test_net.Taken):
    from_disk = True


class Terminal(test_terminal.Terminal):
    from_disk = True
