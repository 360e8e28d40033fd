# SPDX-License-Identifier: MIT
"""Interpreters pre-warmed for programs that know nothing of Warm: what a copy does is what a cold start does."""
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest
import zipfile

from case import WarmCase, harness, write
from harness import CLONE_TIERS, PYTHON, finish

STATE = """
import os, sys
print(sys.argv, sys.orig_argv, sys.path, sys.flags, sys.warnoptions, sys._xoptions)
print(__name__, globals().get("__file__"), __spec__ and __spec__.name, type(__loader__).__name__, sorted(globals()))
print(sorted(sys.modules), sys.prefix, sys.executable, sys.getfilesystemencoding(), sys.stdout.encoding)
print(list(os.environ.items()), os.getcwd(), os.environb._data is os.environ._data)
print([type(s).__name__ + s.mode + str(s.line_buffering) + str(s.write_through) for s in (sys.stdin, sys.stdout, sys.stderr)])
print(open("/proc/self/cmdline").read().split("\\0"), open("/proc/self/comm").read())
print(sorted(open("/proc/self/environ").read().split("\\0")) if os.environ.get("ENVIRON") else "")
"""


class PrewarmCase(WarmCase):
    publish_app = False
    config = "[python]\nprewarm = yes\n"

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(config=cls.config)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()
        cls.place = os.path.join(cls.daemon.dir, "place")
        os.makedirs(os.path.join(cls.place, "package"))
        os.makedirs(os.path.join(cls.place, "other"))
        cls.state = write(os.path.join(cls.place, "state.py"), STATE)
        for name in ("__main__.py", "package/__main__.py", "package/module.py"):
            write(os.path.join(cls.place, name), STATE)
        write(os.path.join(cls.place, "package/__init__.py"), "")

    def script(self, text, name="script.py", mode=0o644):
        return write(os.path.join(self.place, name), text, mode)

    def snapshots(self):
        return {row["id"] for row in self.daemon.ls() if row["state"] == "published"}

    def clone(self, *argv, **keywords):
        """The same launch until a copy serves it."""
        before, last = self.snapshots(), self.daemon.exec(*argv, **keywords)
        end = time.monotonic() + 20
        while last.tier not in CLONE_TIERS:
            harness.wait_for(lambda: self.snapshots() - before, 1, 0.03)
            before, last = self.snapshots(), self.daemon.exec(*argv, **keywords)
            if time.monotonic() > end:
                raise AssertionError(f"{argv} never became a copy: {last!r}\n{self.daemon.log()[-2000:]}")
        last.err = "".join(line for line in last.err.splitlines(True) if '"tier"' not in line)
        return last

    def check_same(self, *argv, **keywords):
        cold = self.daemon.exec(*argv, options=("--cold",), **keywords)
        clone = self.clone(*argv, **keywords)
        self.assertEqual((clone.code, clone.out, clone.err), (cold.code, cold.out, cold.err), argv)
        return clone


class Python(PrewarmCase):
    def test_ways_to_name_a_program(self):
        archive = os.path.join(self.place, "archive.pyz")
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("__main__.py", STATE)
        for words in ([self.state], [self.state, "a", "-b", ""], ["state.py", "x"], ["./state.py"], ["../place/state.py"],
                      ["-c", STATE, "a", "-u"], ["-c" + STATE], ["-m", "package", "x"], ["-m", "package.module", "-m"],
                      ["-mpackage.module"], ["."], ["package"], [archive, "x"], ["--", "state.py"]):
            with self.subTest(words):
                self.check_same(PYTHON, *words, cwd=self.place)

    def test_who_finds_the_importer_of_a_program(self):
        tell = "import sys\nprint(__file__, sys.path[0], sys.path_importer_cache.get(sys.argv[0], 'nobody asked'))\n"
        for name, text in (("plain.py", tell), ("mark.py", tell + "# PK\5\6\n"), ("far.py", tell + "# PK\5\6\n" + "#" * 70000)):
            with self.subTest(name):
                self.check_same(PYTHON, self.script(text, name))
        self.check_same(PYTHON, "plain.py", cwd=self.place)
        archive = os.path.join(self.place, "commented.pyz")
        with zipfile.ZipFile(archive, "w") as file:
            file.comment = b"#" * 5000
            file.writestr("__main__.py", tell)
        self.check_same(PYTHON, archive)
        hook = "import sys\nasked = []\ndef hook(path):\n    asked.append(path)\n    raise ImportError\nsys.path_hooks.insert(0, hook)\n"
        write(os.path.join(self.folder("hooks"), "sitecustomize.py"), hook)
        env = {"PYTHONPATH": os.path.join(self.daemon.dir, "hooks")}
        done = self.check_same(PYTHON, self.script("import sitecustomize\nprint(sitecustomize.asked[-1])", "asked.py"), env=env)
        self.assertEqual(done.out, os.path.join(self.place, "asked.py") + "\n")

    def test_one_snapshot_serves_every_program_and_place(self):
        self.clone(PYTHON, self.state, cwd=self.place)
        for n in range(4):
            done = self.daemon.exec(PYTHON, "-c", f"import os; print({n}, os.getcwd(), os.environ['N'])",
                                    cwd=("/", self.place)[n % 2], env={"N": str(n)})
            self.assertClone(done)
            self.assertEqual(done.out, f"{n} {('/', self.place)[n % 2]} {n}\n")

    def test_options(self):
        for options in (["-O", "-W", "error::UserWarning", "-X", "dev"], ["-IS"], ["-E", "-s", "-uBc"], ["-bbm"]):
            words = [*options[:-1], options[-1], STATE] if options[-1].endswith("c") else \
                [*options, "package"] if options[-1].endswith("m") else [*options, "state.py"]
            with self.subTest(options):
                self.check_same(PYTHON, *words, "x", cwd=self.place)

    def test_variables(self):
        for env in ({"PYTHONPATH": os.path.join(self.place, "other")}, {"PYTHONPATH": "other:package"}, {"PYTHONPATH": ""},
                    {"PYTHONWARNINGS": "ignore", "PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "0"},
                    {"LC_ALL": "C", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "latin-1"}):
            with self.subTest(env):
                self.check_same(PYTHON, "state.py", cwd=self.place, env=env)

    def test_environment_is_the_launchs(self):
        many = {f"VARIABLE_{n}": "x" * n for n in range(300)}
        self.check_same(PYTHON, self.state, env={**many, "ENVIRON": "1"})
        self.check_same(PYTHON, "-c", "import os; os.environ['A'] = 'b'; del os.environ['HOME']; os.system('env | sort')")
        self.check_same(PYTHON, self.state, env={"EMPTY": "", "ENVIRON": "1", "UMLAUT": "ü"})
        words = ("import ctypes\nn, words = ctypes.c_int(), ctypes.POINTER(ctypes.c_wchar_p)()\n"
                 "ctypes.pythonapi.Py_GetArgcArgv(ctypes.byref(n), ctypes.byref(words))\nprint(words[:n.value])")
        self.check_same(PYTHON, "-X", "dev", "-c", words, "a", "b")

    def test_relative_module_path_is_the_working_directorys(self):
        env = {"PYTHONPATH": "other"}
        write(os.path.join(self.place, "other", "here.py"), "print('here')\n")
        self.assertEqual(self.clone(PYTHON, "-m", "here", cwd=self.place, env=env).out, "here\n")
        done = self.daemon.exec(PYTHON, "-m", "here", cwd="/", env=env)
        self.assertEqual((done.tier, done.code), ("cold_start", 1))

    def test_how_programs_end(self):
        for text in ("raise ValueError('no')", "def f():\n    g()\nf()", "print('a'\n", "import sys; sys.exit(7)",
                     "import sys; sys.exit('words')", "import no_such_module", "assert 0", "import os; os.abort()",
                     "import os; os._exit(3)", "import warnings; warnings.warn('careful')", "\0"):
            with self.subTest(text):
                self.check_same(PYTHON, self.script(text))
        self.check_same(PYTHON, os.path.join(self.place, "missing.py"))
        self.check_same(PYTHON, "-m", "missing")
        self.check_same(PYTHON, "-c", "1/0")

    def test_programs_do_what_programs_do(self):
        for text in ("import threading\nt = threading.Thread(target=lambda: print('t'))\nt.start()\nt.join()",
                     "import subprocess, sys\nprint(subprocess.check_output([sys.executable, '-c', 'print(1)']))",
                     "import multiprocessing\nif __name__ == '__main__':\n"
                     "    with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(abs, [-1]))",
                     "import multiprocessing\nwith multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))",
                     "import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    print('f')\nasyncio.run(f())",
                     "import gc, sys, locale, signal\nprint(gc.get_count()[2], gc.get_freeze_count(), locale.getlocale())\n"
                     "print(signal.getsignal(2), sys.gettrace(), sys._getframe().f_back)",
                     "import atexit\natexit.register(print, 'end')", "import sys\nsys.stdout.write('no newline')"):
            with self.subTest(text):
                self.check_same(PYTHON, self.script(text))

    def test_standard_input(self):
        for words in ([], ["-"], ["-", "a"], ["-u"]):
            with self.subTest(words):
                self.check_same(PYTHON, *words, stdin=STATE, cwd=self.place)
        text = "import sys\nprint(sys.stdin.readline(), input(), sys.stdin.read())"
        self.check_same(PYTHON, "-c", text, stdin="a\nb\nc\nd\n")

    def test_streams_on_files_stand_where_the_launch_has_them(self):
        text = "import sys\nprint(sys.stdin.readline(), sys.stdin.buffer.tell(), flush=True)\nprint(sys.stdout.tell())"
        path = write(os.path.join(self.place, "input"), "one\ntwo\nthree\n")
        out = os.path.join(self.place, "output")

        def run(*options):
            with open(path, "rb") as stdin, open(out, "wb") as stdout:
                os.lseek(stdin.fileno(), 4, os.SEEK_SET)
                stdout.write(b"before\n")
                stdout.flush()
                done = self.daemon.exec(PYTHON, "-c", text, options=options, stdout=stdout, **{"stdin": None})
            return done, open(out, "rb").read()
        real = self.daemon.popen

        def popen(*argv, **keywords):
            keywords["stdin"] = open(path, "rb")
            with keywords["stdin"] as stdin:
                os.lseek(stdin.fileno(), 4, os.SEEK_SET)
                return real(*argv, **keywords)
        self.daemon.popen = popen
        try:
            cold = run("--cold")[1]
            self.assertTrue(harness.wait_for(lambda: run("--explain")[0].tier in CLONE_TIERS, 15, 0.05))
            done, clone = run("--explain")
        finally:
            del self.daemon.popen
        self.assertClone(done)
        self.assertEqual(clone, cold)
        self.assertIn(b"two", clone)

    def test_scripts_with_an_interpreter_line(self):
        env = {"PATH": f"{self.place}:{self.daemon.env['PATH']}"}
        for name, line in (("direct", PYTHON), ("option", PYTHON + " -B"), ("by-env", "/usr/bin/env python3.11"),
                           ("by-env-option", "/usr/bin/env -S python3.11 -u")):
            path = self.script(f"#!{line}\n{STATE}", name, 0o755)
            for words in ([path, "a"], ["./" + name], [name, "-u"])[name == "option":1 if name == "by-env-option" else 3]:
                with self.subTest(line, words=words):
                    self.check_same(*words, cwd=self.place, env=env)
        link = os.path.join(self.place, "link")
        os.symlink("direct", link)
        self.check_same(link, env=env)
        write(path, "#!/bin/sh\necho shell\n", 0o755)
        self.assertEqual(self.daemon.exec(path).out, "shell\n")

    def test_stack_limit(self):
        path = self.script("""
import ctypes
libc, attributes, size = ctypes.CDLL(None), ctypes.create_string_buffer(64), ctypes.c_size_t()
libc.pthread_attr_init(attributes)
libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))
print(size.value)
""", "stack.py")
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        self.check_same(PYTHON, path)
        other = self.check_same(PYTHON, path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (200 << 20, hard)))
        self.assertEqual(other.out, f"{200 << 20}\n")

    def test_virtual_environment(self):
        venv = os.path.join(self.place, "venv")
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
        python = os.path.join(venv, "bin", "python")
        self.check_same(python, self.state)
        self.check_same("venv/bin/python3", "-m", "package", cwd=self.place)
        write(os.path.join(venv, "lib", "python3.11", "site-packages", "extra.pth"), self.place + "/other\n")
        self.assertCold(self.daemon.exec(python, self.state), "site-packages")
        self.check_same(python, self.state)

    def test_interrupt(self):
        # Short sleeps: a signal that comes right before a sleep is seen behind it (cold, too).
        path = self.script("import time\nprint('up', flush=True)\nwhile True: time.sleep(0.02)\n")
        self.clone(PYTHON, "-c", "0")
        for options in (("--cold",), ("--require",)):
            launch = self.daemon.popen(PYTHON, path, options=options)
            self.assertEqual(launch.stdout.readline(), b"up\n")
            launch.send_signal(signal.SIGINT)
            done = finish(launch)
            self.assertEqual((done.code, done.err.splitlines()[-1]), (-signal.SIGINT, "KeyboardInterrupt"))

    def test_copies_differ_in_what_is_random(self):
        text = ("import os, random, secrets, sys, tempfile, uuid\n"
                "print(random.random(), secrets.token_hex(), os.urandom(4), uuid.uuid4(), next(tempfile._get_candidate_names()))")
        self.clone(PYTHON, "-c", text)
        launches = [self.daemon.popen(PYTHON, "-c", text, options=("--require",)) for _ in range(3)]
        drawn = [finish(launch).out.split() for launch in launches]
        self.assertEqual([len(set(numbers)) for numbers in zip(*drawn)], [3] * 5, drawn)

    def test_what_is_left_alone(self):
        for words, why in ((["-V"], ""), (["--help"], ""), (["-Z"], "")):
            for _ in range(2):
                done = self.daemon.exec(PYTHON, *words)
                self.assertEqual(done.tier, "cold_start", why)
        env = {"PATH": "bin:" + self.daemon.env["PATH"]}
        self.assertCold(self.daemon.exec("python3", "-c", "0", env=env), "$PATH has relative directories")
        other = os.path.join(self.place, "other-name")
        os.symlink(PYTHON, other)
        self.assertCold(self.daemon.exec(other, "-c", "0"), "by another name")
        for line, why in (("env -i python3", "options of env"), ("env -S 'python3'", "options of env"), ("env -S sh -e", None)):
            done = self.daemon.exec(self.script(f"#!/usr/bin/{line}\n", "odd-env", 0o755))
            self.assertCold(done, *filter(None, [why]))
            self.assertEqual("pre-warmed" in done.reason, bool(why), done)
        with open("/dev/zero", "rb") as zero:
            self.assertCold(self.daemon.exec(PYTHON, "-c", "0", stdout=zero), "device")
        # What is printed before the program would be missing in a copy.
        for again in range(2):
            done = self.daemon.exec(PYTHON, "-v", "-c", "0")
            self.assertCold(done, *["writes something before its program"] * again)
            self.assertIn("import ", done.err)
        for again in range(2):
            done = self.daemon.exec(PYTHON, "-c", "print('x')", env={"PYTHONIOENCODING": "utf-16"})
            self.assertCold(done, *["begins with a mark"] * again)


class WhatCounts(PrewarmCase):
    """What the interpreter, and what is loaded into it, has looked at before the program."""

    config = "[python]\npreload = loaded multiprocessing\n"
    MODULE = ("import ctypes, os, sys\nvariable, words = os.environ.get('COUNTS'), sys.argv\n"
              "with open(os.path.dirname(__file__) + '/data') as file:\n    data = file.read()\n"
              "libc = ctypes.CDLL(None)\nlibc.getenv(b'COUNTS_IN_C')\n")
    TELL = ("import loaded, multiprocessing, os, sys\nprint(loaded.variable, loaded.data, loaded.words, sys.argv, "
            "type(os.environ._data).__name__, multiprocessing.current_process().authkey.hex())")

    def setUp(self):
        super().setUp()
        self.modules = self.folder("modules")
        self.home = self.folder("home")
        write(os.path.join(self.modules, "loaded.py"), self.MODULE)
        write(os.path.join(self.modules, "data"), "one")
        self.env = {"PYTHONPATH": self.modules, "HOME": self.home, "COUNTS": "1"}

    def run_tell(self, **env):
        return self.daemon.exec(PYTHON, "-c", self.TELL, "x", env={**self.env, **env})

    def test_variables_that_were_looked_at(self):
        first = self.clone(PYTHON, "-c", self.TELL, env=self.env).out
        self.assertEqual(first.split()[:6], ["1", "one", "['']", "['-c']", "dict", first.split()[5]])
        other = self.assertClone(self.run_tell(OTHER="1"))
        self.assertNotEqual(other.out.split()[-1], first.split()[-1])
        self.assertCold(self.run_tell(COUNTS="2"), "COUNTS")
        self.assertCold(self.run_tell(COUNTS_IN_C="1"), "COUNTS_IN_C")

    def test_files_that_were_read(self):
        self.clone(PYTHON, "-c", self.TELL, env=self.env)
        write(os.path.join(self.modules, "data"), "two")
        done = self.assertCold(self.run_tell(), "data changed")
        self.assertEqual(done.out.split()[1], "two")

    def test_places_that_were_not_there(self):
        self.clone(PYTHON, "-c", self.TELL, env=self.env)
        os.makedirs(os.path.join(self.home, ".local", "lib", "python3.11", "site-packages"))
        self.assertCold(self.run_tell(), "site-packages appeared")

    def test_a_link_on_the_way_to_its_libraries(self):
        """The kernel says where a library is, not that the launch had another name for it."""
        for release in ("old", "new"):
            shutil.copy("/lib/x86_64-linux-gnu/libz.so.1", os.path.join(self.folder(release), "libz.so.1"))
        current = os.path.join(self.daemon.dir, "current")
        os.symlink("old", current)
        env = {**self.env, "LD_LIBRARY_PATH": current}
        words = (PYTHON, "-c", "print(*{line.split()[-1] for line in open('/proc/self/maps') if 'libz' in line})")
        self.assertIn("/old/libz.so.1", self.clone(*words, env=env).out)
        os.symlink("new", current + ".new")
        os.rename(current + ".new", current)
        self.assertIn("/new/libz.so.1", self.assertCold(self.daemon.exec(*words, env=env), current).out)


class OwnHook(PrewarmCase):
    HOOK = "import os, sys, warm\nstate = os.urandom(4).hex()\nresult = warm.ready(argv=True)\nprint(result, state, sys.argv[1:])\n"

    def run_hook(self, path, *words):
        done = self.daemon.exec(PYTHON, path, *words)
        self.assertEqual(done.code, 0, done)
        return done, done.out.split()

    def await_own(self, path):
        """Until its own snapshot serves; what each launch said."""
        said = []

        def served():
            done, words = self.run_hook(path)
            said.append((done.tier, words[0]))
            return words[0] == "restored"
        self.assertTrue(harness.wait_for(served, 15, 0.05), said)
        return said

    def test_first_run_of_the_interpreter_is_one_of_the_program_too(self):
        path = self.script(self.HOOK, "first.py")
        done, words = self.run_hook(path)
        self.assertEqual((done.tier, words[0]), ("cold_start", "resumed"))
        self.daemon.published(2)
        done, words = self.run_hook(path, "x")
        self.assertClone(done)
        self.assertEqual((words[0], words[2]), ("restored", "['x']"))
        self.assertClone(self.daemon.exec(PYTHON, "-c", "0"))

    def test_hook_in_a_copy_leads_to_a_snapshot_of_its_own(self):
        self.clone(PYTHON, "-c", "0")
        path = self.script(self.HOOK, "later.py")
        said = self.await_own(path)
        self.assertEqual((said[0][0] in CLONE_TIERS, said[0][1]), (True, "cold"), said)
        self.assertEqual(said[1], ("cold_start", "resumed"), said)
        # Another copy of the interpreter is not what an edit leads to.
        time.sleep(0.01)
        self.script(self.HOOK + "# edited\n", "later.py")
        done, words = self.run_hook(path)
        self.assertEqual((done.tier, words[0]), ("cold_start", "resumed"))
        self.await_own(path)

    def test_program_with_a_snapshot_of_its_own_is_known_after_a_restart(self):
        self.clone(PYTHON, "-c", "0")
        path = self.script(self.HOOK, "restart.py")
        self.await_own(path)
        self.daemon.stop()
        self.script(self.HOOK + "# edited\n", "restart.py")
        self.daemon.start()
        done, words = self.run_hook(path)
        self.assertEqual((done.tier, words[0]), ("cold_start", "resumed"))


class Preload(PrewarmCase):
    config = "[python]\npreload = json random no_such_module, uuid\nkeep-env = KEPT_*\n"

    def test_modules_are_there(self):
        text = "import sys\nprint('json' in sys.modules, 'gc' in sys.modules, 'warm' in sys.modules, end=' ')\n" \
               "import random, uuid\nprint(random.random(), uuid.uuid4())"
        first = self.clone(PYTHON, "-c", text).out.split()
        second = self.clone(PYTHON, "-c", text).out.split()
        self.assertEqual(first[:3], ["True", "False", "False"])
        self.assertNotEqual(first[3], second[3])
        self.assertNotEqual(first[4], second[4])
        self.assertIn("no_such_module", self.daemon.log())

    def test_modules_of_the_program_come_first(self):
        """Of a script beside them, of one found by a link, of -m and -c in their directory, of an archive."""
        self.clone(PYTHON, "-I", "-c", "0", stdin="")
        place, other = self.folder("shadow"), self.folder("other")
        write(os.path.join(place, "json.py"), "NAME = 'mine'\nif __name__ == '__main__':\n    print('mine')\n")
        tell = "import json, sys\nprint(getattr(json, 'NAME', 'library'), *sys.argv[1:])"
        script, plain = write(os.path.join(place, "user.py"), tell), write(os.path.join(other, "user.py"), tell)
        link, archive = os.path.join(other, "link.py"), os.path.join(other, "app.pyz")
        os.symlink(script, link)
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("__main__.py", tell)
            file.writestr("json.py", "NAME = 'mine'\n")
        os.mkdir(os.path.join(other, "json"))       # no package: it has no __init__.py
        first = self.assertCold(self.daemon.exec(PYTHON, script, stdin=""))
        self.assertEqual((first.out, first.code), ("mine\n", 0), "the original's come first, too")
        self.clone(PYTHON, script, stdin="")
        for out, cwd, *argv in (("mine ä", "/", script, "ä"), ("mine", "/", link), ("mine", place, "-m", "json"),
                                ("mine x", place, "-c", tell, "x"), ("mine", place, "-"), ("mine", "/", archive),
                                ("library", "/", plain), ("library", place, "-I", "-c", tell),
                                ("library", other, "-c", tell)):
            with self.subTest(argv=argv):
                cold = self.daemon.exec(PYTHON, *argv, cwd=cwd, stdin=tell, options=("--cold",))
                warm = self.assertClone(self.daemon.exec(PYTHON, *argv, cwd=cwd, stdin=tell))
                self.assertEqual((warm.out.strip(), warm.code), (out, 0), repr(warm))
                self.assertEqual((cold.out, cold.code), (warm.out, 0))

    def test_variables_that_they_look_at_count(self):
        self.clone(PYTHON, "-c", "0", env={"KEPT_ONE": "1", "OTHER": "1"})
        self.assertClone(self.daemon.exec(PYTHON, "-c", "0", env={"KEPT_ONE": "1", "OTHER": "2"}))
        self.assertCold(self.daemon.exec(PYTHON, "-c", "0", env={"KEPT_ONE": "2"}), "KEPT_ONE")


class Refused(PrewarmCase):
    config = "[python]\npreload = refused\n"
    MODULE = "import os, subprocess\nloads = os.path.dirname(__file__) + '/loads'\nos.truncate(loads, os.stat(loads).st_size + 1)\n"
    CHILD = "subprocess.Popen(['sleep', '1'], stdin=-3, stdout=-3, stderr=-3)\n"

    def test_what_cannot_be_taken_is_tried_seldom(self):
        place = self.folder("refused")
        module, env = os.path.join(place, "refused.py"), {"PYTHONPATH": place}
        write(os.path.join(place, "loads"), "")
        write(module, self.MODULE + self.CHILD)
        began = time.monotonic()
        self.assertCold(self.daemon.exec(PYTHON, "-c", "0", env=env))
        for _ in range(3):
            self.assertCold(self.daemon.exec(PYTHON, "-c", "0", env=env), "child")
        if time.monotonic() < began + 2:
            self.assertEqual(os.stat(place + "/loads").st_size, 1)
        write(module, self.MODULE)
        self.clone(PYTHON, "-c", "0", env=env)
        self.assertGreater(time.monotonic(), began + 2)
        self.assertEqual(os.stat(place + "/loads").st_size, 2)


class Off(PrewarmCase):
    config = "[python]\nprewarm = no\n"

    def test_nothing_is_taken(self):
        for _ in range(2):
            done = self.daemon.exec(PYTHON, self.state)
            self.assertCold(done)
        self.assertEqual(self.daemon.ls(), [])


if __name__ == "__main__":
    unittest.main()
