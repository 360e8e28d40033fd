# SPDX-License-Identifier: MIT
"""Plugins: what one takes comes back in every clone; one that does anything wrong is named, and costs nothing but the
snapshot."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import harness
from case import WarmCase, write
from harness import BUILD, CLONE_TIERS, PYTHON, Daemon, wait_for
from refusals import refusal

HOLDER = os.path.join(BUILD, "tests", "holder")
MADE = os.path.join(BUILD, "tests", "plugins")
# Five pages of A to E, at an address that the plugin `forget` knows.
FORGETS = """import ctypes, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long
at = libc.mmap(0x700000000000, 5 * 4096, 3, 0x100022, -1, 0)
for i in range(5):
    ctypes.memset(at + i * 4096, ord("A") + i, 4096)
print("ready", flush=True)
sys.stdin.readline()
pages = [ctypes.string_at(at + i * 4096, 4096) for i in range(5)]
print("".join(chr(page[0]) if page[0] else "0" for page in pages if page == page[:1] * 4096))
"""
SAME = "same bytes, at 1234, then 1239, own, device full\n"


class PluginCase(WarmCase):
    """A daemon with a folder of plugins of its own, which each test fills."""
    publish_app = False
    config = ""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(config="")
        cls.addClassCleanup(cls.daemon.close)
        cls.dir = os.path.join(cls.daemon.dir, "plugins")
        os.mkdir(cls.dir, 0o755)
        with open(cls.daemon.options[1], "w", encoding="utf-8") as file:
            file.write(f"[plugins]\ndir = {cls.dir}\ndisable = hang_load, absent\n{cls.config}")
        cls.daemon.start()

    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)
        self.clean()

    def clean(self):
        for path in glob.glob(os.path.join(self.dir, "*")):
            os.unlink(path)
        for row in self.daemon.ls():
            self.daemon.warm("rm", row["id"])

    def install(self, *names):
        for name in names:
            shutil.copy(os.path.join(MADE, name + ".so"), self.dir)

    def hosts(self):
        table = harness.processes()
        return [pid for pid in harness.descendants(self.daemon.process.pid) if table.get(pid, (0, ""))[1] == "warm-plugin"]

    def launch(self, *options):
        return self.daemon.exec(HOLDER, options=("--explain", *options))

    def first(self):
        """The launch that is to be snapshotted, its answer, and what the daemon said meanwhile."""
        said = len(self.daemon.log())
        result = self.launch()
        self.assertEqual((result.code, result.tier), (0, "cold_start"), repr(result))
        self.assertTrue(result.out.endswith(SAME), repr(result))  # whatever happened, it runs on unharmed
        self.assertTrue(wait_for(lambda: re.search("no snapshot|is published", self.daemon.log()[said:]), 10), self.daemon.log())
        return result, self.daemon.log()[said:]

    def published(self):
        result, said = self.first()
        self.assertIn("is published", said)
        self.assertEqual(result.out, "resumed: " + SAME)
        return self.daemon.published(command=HOLDER)[0]

    def assertRefused(self, *words):
        """No snapshot, the reason names the plugin, and the next launch, as unharmed, has that reason."""
        result, said = self.first()
        self.assertEqual(result.out, "cold: " + SAME)
        self.assertEqual([row for row in self.daemon.ls() if row["state"] == "published"], [])
        again = self.assertCold(self.launch())
        for word in words:
            self.assertRegex(said, word)
            self.assertRegex(again.reason, word)


class Takes(PluginCase):
    def test_a_descriptor_in_every_clone(self):
        self.install("memfile")
        row = self.published()
        for result in [harness.finish(self.daemon.popen(HOLDER, options=("--explain", "--require"))) for _ in range(2)]:
            self.assertClone(result)
            self.assertEqual(result.out, "restored: " + SAME)
        together = [self.daemon.popen(HOLDER, options=("--explain", "--require")) for _ in range(4)]
        self.assertEqual({harness.finish(one).out for one in together}, {"restored: " + SAME})
        shown = self.daemon.warm("show", row["id"]).out
        self.assertRegex(shown, r"\d+: /memfd:kept \(deleted\) \(plugin memfile\)")
        plan = self.daemon.warm("plan", row["id"]).out
        self.assertEqual(len(re.findall("plugin memfile: its bytes", plan)), 1, plan)

    def test_without_it_the_object_is_refused(self):
        self.assertRefused(refusal("fd %d: memory file /memfd:kept"))

    def test_a_memory_file_that_would_not_be_the_same(self):
        """The example says no; one that did not look is found out by the trial."""
        sealed, again = "os.memfd_create('kept', os.MFD_ALLOW_SEALING)", "fd = os.memfd_create('kept')\nos.open(f'/proc/self/fd/{fd}', 2)"
        for plugin, program, words in (
                ("memfile", sealed, "a memory file that has seals, or can get them"),
                ("memfile", again, "a memory file that was opened a second time"),
                ("careless/memfile", sealed, "trial restore: fd [0-9]+: seals of a plugin's object is 0x1, was 0")):
            with self.subTest(plugin, words=words):
                self.clean()
                shutil.copy(os.path.join(MADE, plugin + ".so"), self.dir)
                said = len(self.daemon.log())
                self.assertEqual(self.daemon.exec(PYTHON, "-c", f"import os, warm\n{program}\nwarm.ready()").code, 0)
                self.assertTrue(wait_for(lambda: re.search(words, self.daemon.log()[said:]), 10), self.daemon.log())

    def test_a_process_and_every_phase(self):
        self.install("memfile", "witness")
        row = self.published()
        self.assertIn("witness: resumed, captured 1", self.daemon.log())
        self.assertEqual(self.assertClone(self.launch("--require")).out, "restored: " + SAME)
        self.assertEqual(self.daemon.warm("plan", row["id"]).out.count("plugin witness: look around"), 3)

    def test_memory_that_is_not_used(self):
        """Whole pages of it are no part of an image; the program keeps what it has."""
        self.install("forget")
        argv = [PYTHON, "-c", FORGETS]
        first = self.daemon.popen(*argv, options=("--ready", "stdout:ready"), stdin=subprocess.PIPE)
        row, = self.daemon.published()
        self.assertEqual((row["state"], harness.finish(first, "\n").out), ("published", "ready\nABCDE\n"))
        copy = self.daemon.exec(*argv, options=("--explain", "--ready", "stdout:ready"), stdin="\n")
        self.assertEqual(self.assertClone(copy).out, "A0C0E\n")

    def test_two_want_it_and_the_first_that_takes_it_has_it(self):
        self.install("leave", "memfile", "witness")
        row = self.published()
        self.assertIn("(plugin memfile)", self.daemon.warm("show", row["id"]).out)

    def test_gone_at_restore_and_back(self):
        self.install("memfile")
        row = self.published()
        self.daemon.stop()
        self.clean_folder()
        self.daemon.start()
        result = self.assertCold(self.launch(), f"image {row['id']}: it needs the plugin memfile, which is not installed")
        self.assertTrue(result.out.endswith(SAME))
        self.install("memfile")
        self.daemon.warm("rm", row["id"])
        self.assertTrue(wait_for(lambda: self.launch().tier in CLONE_TIERS, 10))

    def clean_folder(self):
        for path in glob.glob(os.path.join(self.dir, "*")):
            os.unlink(path)

    def test_ends_with_its_worker(self):
        self.install("memfile", "leave")
        self.published()
        self.assertTrue(wait_for(lambda: not self.hosts(), 2), self.hosts())


class Wrong(PluginCase):
    """Each installed beside nothing, or beside one that is right."""

    def test_at_the_snapshot(self):
        for name, words in {
                "crash_load": refusal("plugin crash_load crashed (Segmentation fault) when it was loaded"),
                "crash_process": refusal("plugin crash_process crashed (Segmentation fault) when it was offered the process (%s)"),
                "refuse_process": refusal("the process (%s): plugin refuse_process: not this program, please"),
                "crash_offer": refusal("plugin crash_offer crashed (Segmentation fault) when it was offered fd %d (/memfd:kept (deleted))"),
                "exit_offer": refusal("plugin exit_offer ended (exit status 3) when it was offered fd %d"),
                "nonsense": refusal("fd %d (/memfd:kept (deleted)): plugin nonsense answered 42, which means nothing"),
                "babble_load": refusal("plugin babble_load said what nobody understands when it was loaded"),
                "babble_offer": refusal("plugin babble_offer said what nobody understands when it was offered fd %d"),
                "short_offer": refusal("plugin short_offer: its answer cannot be read"),
                "crash_stopped": refusal("plugin crash_stopped crashed (Segmentation fault) when the program was stopped"),
                "refuse_stopped": refusal("the process: plugin refuse_stopped: not as it stands"),
                "crash_resumed": refusal("plugin crash_resumed crashed (Segmentation fault) when the program ran again"),
                "wrong_abi": refusal("plugin wrong_abi speaks ABI 2, and this Warm speaks 1"),
                "short_table": refusal("plugin short_table says ABI 1, but its table has 24 bytes instead of %d"),
                "no_paths": refusal("plugin no_paths says ABI 1, but its table is not complete"),
                "wrong_name": refusal("plugin wrong_name calls itself somebody")}.items():
            with self.subTest(name):
                self.clean()
                self.install(name)
                self.assertRefused(words)

    def test_a_device(self):
        self.install("memfile", "refuse_device")
        self.assertRefused(refusal("fd %d (/dev/full): plugin refuse_device: no devices today"))

    def test_older_than_what_took_it(self):
        self.install("memfile")
        shutil.copy(os.path.join(MADE, "aged_more.so"), os.path.join(self.dir, "aged.so"))
        self.published()
        self.daemon.stop()
        self.install("aged")
        self.daemon.start()
        result = self.assertCold(self.launch())
        self.assertRegex(result.reason, refusal("plugin aged: what its version 2 saved, version 1 does not understand"))
        self.assertTrue(result.out.endswith(SAME))

    def test_silence(self):
        for name, words, limit in (
                ("hang_process", refusal("plugin hang_process did not answer within 2000 ms when it was offered the process (%s)"), 4),
                ("hang_later", refusal("plugin hang_later did not answer within 50 ms when it was offered the process (%s)"), 2),
                ("hang_much_later", refusal("plugin hang_much_later did not answer within 0 ms when it was offered the process (%s)"), 2),
                ("hang_stopped", refusal("plugin hang_stopped did not answer within %d ms when the program was stopped"), 2),
                ("hang_offer", refusal("plugin hang_offer did not answer within %d ms when it was offered fd %d"), 2)):
            with self.subTest(name):
                self.clean()
                self.install(name)
                began = time.monotonic()
                result, said = self.first()
                self.assertLess(time.monotonic() - began, limit)
                self.assertEqual(result.out, "cold: " + SAME)
                self.assertRegex(said, "no snapshot")
                self.assertRegex(said, words)

    def test_at_the_trial(self):
        for name, words in {
                "crash_plan": r"plugin crash_plan crashed \(Segmentation fault\) when it planned fd",
                "hang_plan": "plugin hang_plan did not answer within 2000 ms when it planned fd",
                "refuse_plan": r"fd \d+ \(/memfd:kept.*\): plugin refuse_plan: not here",
                "bad_call": "plugin bad_call: its part of the plan makes no sense",
                "failing_call": r"operation \d+ of the plan: Bad file descriptor"}.items():
            with self.subTest(name):
                self.clean()
                self.install(name)
                result, said = self.first()
                self.assertEqual(result.out, "resumed: " + SAME)
                self.assertRegex(said, "trial restore: .*(" + words + ")")
                result = self.assertCold(self.launch())
                self.assertRegex(result.reason, "trial restore: .*(" + words + ")")
                self.assertRegex(self.daemon.log(), refusal("its snapshot %s is quarantined: trial restore: %s"))
                self.assertTrue(result.out.endswith(SAME))

    def test_difference_that_only_the_trial_finds(self):
        """Every operation of its plan succeeds. The snapshot stays, with the reason, and serves nobody."""
        self.install("memfile", "alter")
        _, said = self.first()
        why = r"trial restore: memory at 0x[0-9a-f]+8 .*0x5a.*was 0"
        self.assertRegex(said, why)
        row, = self.daemon.ls()
        self.assertEqual((row["state"], row["standbys"], row["command"]), ("quarantined", 0, [HOLDER]))
        self.assertRegex(row["reason"], why)
        for _ in range(2):
            result = self.assertCold(self.launch(), row["reason"])
            self.assertTrue(result.out.endswith(SAME))
        self.assertEqual([row["state"] for row in self.daemon.ls()], ["quarantined"])
        self.assertIn(row["reason"], self.daemon.warm("show", row["id"]).out)
        self.clean()
        self.install("memfile")
        self.published()

    def test_a_file_that_changes_meanwhile(self):
        """Under the trial, which hangs in the plugin: no flaw of the image, but it would be served stale."""
        self.install("hang_plan")
        program = shutil.copy(HOLDER, os.path.join(self.daemon.dir, "holder"))
        result = self.daemon.exec(program, options=("--explain",))
        self.assertEqual(result.out, "resumed: " + SAME)
        said = len(self.daemon.log())
        os.utime(program)
        self.assertTrue(wait_for(lambda: "no snapshot" in self.daemon.log()[said:], 10), self.daemon.log())
        self.assertRegex(self.daemon.log()[said:], refusal(f"since it was taken, {program} %s"))

    def test_a_file_that_others_may_write(self):
        self.install("memfile")
        os.chmod(os.path.join(self.dir, "memfile.so"), 0o664)
        self.assertRefused(refusal("plugin memfile can be written by others than root: it is not loaded"))

    def test_a_folder_that_others_may_write(self):
        self.install("memfile")
        os.chmod(self.dir, 0o777)
        self.assertRefused(refusal(f"plugins: {self.dir} can be written by others than root: nothing in it is loaded"))

    def test_no_library_at_all(self):
        with open(os.path.join(self.dir, "text.so"), "w", encoding="utf-8") as file:
            file.write("not a library\n")
        self.assertRefused("plugin text cannot be loaded: .*")
        self.clean()
        shutil.copy(os.path.join(BUILD, "libwarm.so"), os.path.join(self.dir, "strange.so"))
        self.assertRefused("plugin strange is no plugin: it has no symbol warm_plugin")

    def test_switched_off(self):
        self.install("memfile", "hang_load")  # the configuration has it in `disable`
        self.published()


class Doctor(PluginCase):
    def checks(self, code):
        result = self.daemon.warm("--json", "doctor")
        self.assertEqual(result.code, code, repr(result))
        return {check["name"]: check for check in json.loads(result.out) if check["name"].startswith("plugin")}

    def check(self, name, abi, detail, ok=True):
        return {"name": f"plugin {name}", "ok": ok, "needed": not ok, "detail": detail, "path": f"{self.dir}/{name}.so", "abi": abi}

    def test_each_with_its_file_and_abi(self):
        self.install("leave", "hang_load")  # the configuration has hang_load in `disable`, and one that is not there
        absent = {"name": "plugin absent", "ok": True, "needed": False, "detail": "[plugins] disable names it, and it is not installed"}
        self.assertEqual(self.checks(0), {"plugin leave": self.check("leave", 1, "does what its name says"), "plugin hang_load":
                                          self.check("hang_load", None, "switched off ([plugins] disable)"), "plugin absent": absent})
        self.assertIn(f"ok       plugin leave ({self.dir}/leave.so), ABI 1: does what its name says\n",
                      self.daemon.warm("doctor").out)

    def test_one_that_is_wrong_costs_every_snapshot(self):
        self.install("wrong_abi", "crash_load", "leave")
        checks = self.checks(1)
        self.assertTrue(checks["plugin leave"]["ok"])
        for name, words in (("wrong_abi", "plugin wrong_abi speaks ABI 2, and this Warm speaks 1"),
                            ("crash_load", "plugin crash_load crashed (Segmentation fault)")):
            self.assertRegex(checks["plugin " + name]["detail"], "no snapshot is taken as long as it is there: " + re.escape(words))
            self.assertEqual(checks["plugin " + name], self.check(name, None, checks["plugin " + name]["detail"], ok=False))

    def test_a_folder_that_is_not_trusted(self):
        self.install("leave")
        os.chmod(self.dir, 0o777)
        checks = self.checks(1)
        self.assertRegex(checks["plugins"]["detail"], f"no snapshot is taken: .*{self.dir} can be written by others than root")

    def test_asked_and_left(self):
        """Whoever asked goes away while a plugin is being loaded: that ends at once, and the next one is answered."""
        shutil.copy(os.path.join(MADE, "hang_load.so"), os.path.join(self.dir, "slow.so"))
        asking = subprocess.Popen([harness.WARM, "doctor"], env=self.daemon.env, stdout=subprocess.DEVNULL)
        self.assertTrue(wait_for(self.hosts, 5))
        asking.kill()
        asking.wait()
        self.assertTrue(wait_for(lambda: not self.hosts(), 1), self.hosts())
        self.clean()
        self.install("leave")
        self.assertIn("plugin leave", self.checks(0))


JAVA = """
public class Waits {
    public static void main(String[] args) throws Exception {
        System.out.println("up");
        System.in.read();
        System.out.println("done");
    }
}
"""


@unittest.skipUnless(shutil.which("javac"), "no Java compiler is installed")
class RealJvm(WarmCase):
    """The plugin that is installed, and a JVM with the performance data that it has by default."""
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        source = write(os.path.join(cls.daemon.dir, "Waits.java"), JAVA)
        subprocess.run(["javac", "-d", cls.daemon.dir, source], check=True)

    def start(self, heap="-Xmx64m"):
        return self.daemon.popen("java", heap, "-cp", self.daemon.dir, "Waits", options=("--explain", "--ready", "after:1"),
                                 stdin=subprocess.PIPE)

    def data_of(self, java):
        """inode and path of its performance data"""
        pid = wait_for(lambda: behind(java), 5)
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            return [line.split(None, 5)[4:] for line in maps if "hsperfdata" in line]

    def test_each_clone_has_its_own_data(self):
        first = self.start()
        self.assertEqual(first.stdout.readline(), b"up\n")
        original = self.data_of(first)
        self.daemon.published(seconds=20)
        subprocess.run(["java", "-version"], check=True, stderr=subprocess.DEVNULL)  # tidies the folder up, and changes it
        clones = [self.start() for _ in range(2)]
        data = [self.data_of(java) for java in clones]
        self.assertEqual([len(found) for found in data], [1, 1], data)
        self.assertEqual(len({found[0][0] for found in [original, *data]}), 3, (original, data))
        for found in data:
            self.assertRegex(found[0][1], r"^/tmp/hsperfdata_\w+/#\d+ \(deleted\)$")
        for java in clones:
            result = self.assertClone(harness.finish(java, b"\n"))
            self.assertEqual((result.code, result.out), (0, "done\n"), repr(result))
        self.assertEqual(harness.finish(first, b"\n").code, 0)

    def test_other_machines_come_and_go_while_it_starts(self):
        """It has looked through the folder of their data, which is none of its state."""
        first = self.start("-Xmx65m")
        self.assertEqual(first.stdout.readline(), b"up\n")
        folder = os.path.dirname(self.data_of(first)[0][1])
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
        self.daemon.published(command="-Xmx65m")
        self.assertEqual(harness.finish(first, b"\n").code, 0)


def behind(launch):
    try:
        return harness.program_behind(launch)
    except AssertionError:
        return None


class Documented(unittest.TestCase):
    def test_the_example_is_the_one_that_is_tested(self):
        with open(os.path.join(harness.ROOT, "tests", "plugins", "memfile.c"), encoding="utf-8") as file:
            source = file.read().split("*/\n", 1)[1]
        with open(os.path.join(harness.ROOT, "docs", "PLUGINS.md"), encoding="utf-8") as file:
            text = file.read()
        indented = "".join("    " + line if line.strip() else line for line in source.splitlines(keepends=True))
        self.assertIn(indented, text)
