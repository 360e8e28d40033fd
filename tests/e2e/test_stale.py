# SPDX-License-Identifier: MIT
"""An edited file is never served stale: script, module, package, library, interpreter, settings."""
import os
import shutil
import subprocess
import sysconfig
import time
import zipfile

from case import WarmCase, make_snapshot, write
from harness import BUILD, PYTHON, ROOT, wait_for

MAIN = """import sys
import shop.views
import warm
warm.ready(argv=True)
print(shop.views.text(), *sys.argv[1:])
"""


class Python(WarmCase):
    publish_app = False

    def setUp(self):
        super().setUp()
        self.home = self.folder(self._testMethodName)
        os.mkdir(os.path.join(self.home, "shop"))
        self.main = write(os.path.join(self.home, "main.py"), MAIN)
        write(os.path.join(self.home, "shop", "__init__.py"), "")
        self.views = write(os.path.join(self.home, "shop", "views.py"), "def text():\n    return 'old'\n")
        make_snapshot(self.daemon, PYTHON, self.main)
        result = self.assertClone(self.run_main())
        self.assertEqual(result.out, "old x\n")

    def run_main(self, *argv):
        self.daemon.full_pool()
        return self.daemon.exec(PYTHON, self.main, *(argv or ("x",)))

    def test_edited_module(self):
        write(self.views, "def text():\n    return 'new'\n")
        result = self.assertCold(self.run_main(), "views.py")
        self.assertEqual(result.out, "new x\n")
        self.daemon.published(1)

    def test_edited_module_of_the_same_size_and_time(self):
        stat = os.stat(self.views)
        write(self.views, "def text():\n    return 'OLD'\n")
        os.utime(self.views, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.assertEqual(self.run_main().out, "OLD x\n")

    def test_module_replaced_by_rename(self):
        other = write(self.views + ".new", "def text():\n    return 'renamed'\n")
        os.rename(other, self.views)
        self.assertEqual(self.run_main().out, "renamed x\n")

    def test_new_module_that_shadows(self):
        """A file that appears earlier on the path, where an import had looked for it."""
        os.mkdir(os.path.join(self.home, "shop", "views"))
        write(os.path.join(self.home, "shop", "views", "__init__.py"), "def text():\n    return 'package'\n")
        self.assertEqual(self.run_main().out, "package x\n")

    def test_changed_script(self):
        write(self.main, MAIN.replace("print(", "print('edited', "))
        self.assertEqual(self.assertCold(self.run_main(), "main.py").out, "edited old x\n")

    def test_missing_module(self):
        os.unlink(self.views)
        result = self.run_main()
        self.assertEqual(result.code, 1)
        self.assertIn("ModuleNotFoundError", result.err)

    def test_missing_script(self):
        os.unlink(self.main)
        result = self.run_main()
        self.assertEqual(result.code, 2)
        self.assertIn("main.py", result.err)

    def test_edited_while_it_is_snapshotted(self):
        """Whatever was published, no launch sees the text of before the last edit."""
        for i in range(6):
            write(self.views, f"def text():\n    return {i!r}\n")
            first = self.daemon.popen(PYTHON, self.main, "a", options=("--explain",))
            time.sleep(0.02 * i)
            write(self.views, f"def text():\n    return 'edit {i}'\n")
            first.communicate(timeout=20)
            self.assertEqual(self.run_main("b").out, f"edit {i} b\n")

    def test_other_arguments(self):
        self.assertEqual(self.assertClone(self.run_main("one", "two words", "")).out, "old one two words \n")

    def test_interpreter_option_is_a_difference(self):
        self.daemon.full_pool()
        self.assertCold(self.daemon.exec(PYTHON, "-O", self.main, "x"))


class Elsewhere(WarmCase):
    """The files stay as they are, and their paths lead to others."""
    publish_app = False

    def setUp(self):
        super().setUp()
        self.home = self.folder(self._testMethodName)
        for version in ("old", "new"):
            os.makedirs(os.path.join(self.home, version, "lib"))
            write(os.path.join(self.home, version, "lib", "words.py"), f"WORD = {version!r}\n")
        self.at = os.path.join(self.home, "at")

    def publish(self):
        os.mkdir(os.path.join(self.home, "bin"))
        text = f"import sys\nsys.path.insert(0, {self.at!r} + '/lib')\nimport words, warm\nwarm.ready()\nprint(words.WORD)\n"
        self.main = write(os.path.join(self.home, "bin", "main.py"), text)
        make_snapshot(self.daemon, PYTHON, self.main)
        self.assertEqual(self.assertClone(self.run_main()).out, "old\n")

    def run_main(self):
        self.daemon.full_pool()
        return self.daemon.exec(PYTHON, self.main)

    def test_directory_above_is_replaced(self):
        os.rename(os.path.join(self.home, "old"), self.at)
        self.publish()
        os.rename(self.at, self.at + ".was")
        os.rename(os.path.join(self.home, "new"), self.at)
        self.assertEqual(self.assertCold(self.run_main(), self.at).out, "new\n")

    def test_link_above_is_pointed_elsewhere(self):
        os.symlink("old", self.at)
        self.publish()
        os.symlink("new", self.at + ".new")
        os.rename(self.at + ".new", self.at)
        self.assertEqual(self.assertCold(self.run_main(), self.at).out, "new\n")

    def test_what_the_link_above_points_to_is_replaced(self):
        os.symlink("old", self.at)
        self.publish()
        os.rename(os.path.join(self.home, "old"), os.path.join(self.home, "was"))
        os.rename(os.path.join(self.home, "new"), os.path.join(self.home, "old"))
        self.assertEqual(self.assertCold(self.run_main(), self.at).out, "new\n")

    def test_mount_above_comes_and_goes(self):
        os.rename(os.path.join(self.home, "old"), self.at)
        self.publish()
        subprocess.run(["mount", "--bind", os.path.join(self.home, "new"), self.at], check=True)
        try:
            self.assertEqual(self.assertCold(self.run_main(), self.at).out, "new\n")
            make_snapshot(self.daemon, PYTHON, self.main)
            self.assertEqual(self.assertClone(self.run_main()).out, "new\n")
        finally:
            subprocess.run(["umount", self.at], check=True)
        self.assertEqual(self.assertCold(self.run_main(), self.at).out, "old\n")


HOLDER = """import mmap, os, sys
import warm
with open(sys.argv[1], "rb") as file:
    held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
hog = os.urandom(128 << 20)     # a file of this size takes a while to be stored
warm.ready()
print(held[:3].decode(), flush=True)
"""


class Trial(WarmCase):
    publish_app = False

    def test_file_replaced_before_the_trial(self):
        """Nothing is wrong with the image: it goes, and does not keep the next one from being taken."""
        home = self.folder("trial")
        script = write(os.path.join(home, "holder.py"), HOLDER)
        held = write(os.path.join(home, "held"), "old")
        other = write(held + ".new", "new")
        first = self.daemon.popen(PYTHON, script, held)
        self.assertEqual(first.stdout.readline(), b"old\n")
        os.rename(other, held)
        first.communicate()
        self.assertTrue(wait_for(lambda: "held" in self.daemon.log()), self.daemon.log())
        self.assertEqual(self.daemon.ls(), [])
        make_snapshot(self.daemon, PYTHON, script, held)
        self.assertEqual(self.assertClone(self.daemon.exec(PYTHON, script, held)).out, "new\n")


SITE = """import os, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "first"), os.path.join(HERE, "archive.zip")]
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
import django
django.setup()
from django.template import engines
import helper, packed, fast
template = engines["django"].get_template("page.txt")
import warm
warm.ready(argv=True, depends=[os.path.join(HERE, "templates", "page.txt")])
print(template.render({"words": [helper.TEXT, packed.TEXT, fast.TEXT]}), *sys.argv[1:])
"""
SETTINGS = """import os
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates",
              "DIRS": [os.path.join(os.path.dirname(__file__), "templates")]}]
"""
PAGE = "{{ words|join:'-' }}"
FAST = """#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_fast(void)
{
	PyObject *self = PyModule_Create(&module);
	PyModule_AddStringConstant(self, "TEXT", "%s");
	return self;
}
"""
TIMES = int(os.environ.get("WARM_TEST_TIMES", "4"))


class Site(WarmCase):
    """A Django site whose code comes from modules, an archive, a shared object and a template: each changed again and
    again, and no launch after a change prints what was there before."""

    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = os.path.join(cls.daemon.dir, "site")
        for name in ("first", "templates"):
            os.makedirs(os.path.join(cls.home, name))
        cls.main = cls.put("main.py", SITE)
        cls.put("site_settings.py", SETTINGS)
        cls.put("helper.py", "TEXT = 'h'\n")
        cls.put("templates/page.txt", PAGE)
        cls.pack("z")
        cls.build("s")

    @classmethod
    def put(cls, name, content):
        return write(os.path.join(cls.home, name), content)

    @classmethod
    def pack(cls, text):
        path = os.path.join(cls.home, "archive.zip")
        with zipfile.ZipFile(path + ".new", "w") as archive:
            archive.writestr("packed.py", f"TEXT = {text!r}\n")
        os.rename(path + ".new", path)

    @classmethod
    def build(cls, text):
        path = os.path.join(cls.home, "fast.so")
        source = cls.put("fast.c", FAST % text)
        subprocess.run(["gcc", "-O0", "-shared", "-fPIC", "-I", sysconfig.get_paths()["include"], "-o", path + ".new", source],
                       check=True)
        os.rename(path + ".new", path)

    def change_and_launch(self, change, expected):
        """Each time there is a snapshot of what was there before, and none of its clones may serve."""
        said = self.daemon.exec(PYTHON, self.main, "x")
        for i in range(TIMES):
            make_snapshot(self.daemon, PYTHON, self.main, "x")
            before, said = said, change(i) or self.daemon.exec(PYTHON, self.main, "x")
            self.assertCold(said)
            self.assertEqual(said.out, expected(i) + " x\n", f"before: {before!r}")
            self.assertNotEqual(said.out, before.out)

    def test_edited_module(self):
        self.addCleanup(self.put, "helper.py", "TEXT = 'h'\n")
        self.change_and_launch(lambda i: self.put("helper.py", f"TEXT = 'h{i}'\n") and None, lambda i: f"h{i}-z-s")

    def test_new_module_that_shadows(self):
        path = os.path.join(self.home, "first", "helper.py")

        def change(i):
            if i % 2:
                os.unlink(path)
            else:
                write(path, f"TEXT = 'shadow{i}'\n")
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        self.change_and_launch(change, lambda i: "h-z-s" if i % 2 else f"shadow{i}-z-s")

    def test_changed_archive(self):
        self.addCleanup(self.pack, "z")
        self.change_and_launch(lambda i: self.pack(f"z{i}"), lambda i: f"h-z{i}-s")

    def test_changed_template(self):
        self.addCleanup(self.put, "templates/page.txt", PAGE)
        self.change_and_launch(lambda i: self.put("templates/page.txt", PAGE + str(i)) and None, lambda i: f"h-z-s{i}")

    def test_changed_shared_object(self):
        self.addCleanup(self.build, "s")
        self.change_and_launch(lambda i: self.build(f"s{i}"), lambda i: f"h-z-s{i}")


LIBRARY = 'const char *text(void);\nconst char *text(void)\n{\n\treturn "%s";\n}\n'
PROGRAM = """#include <stdio.h>
#include "sdk/c/warm.h"
const char *text(void);
int main(void)
{
	warm_ready(0);
	puts(text());
	return 0;
}
"""


class Native(WarmCase):
    publish_app = False

    def setUp(self):
        super().setUp()
        self.home = self.folder(self._testMethodName)
        self.library = os.path.join(self.home, "libtext.so")
        self.program = os.path.join(self.home, "program")
        self.build_library("old")
        source = write(os.path.join(self.home, "program.c"), PROGRAM)
        subprocess.run(["gcc", "-I", ROOT, "-o", self.program, source, self.library, os.path.join(BUILD, "libwarm.a"), "-lpthread",
                        f"-Wl,-rpath,{self.home}"], check=True)
        make_snapshot(self.daemon, self.program)
        self.assertEqual(self.assertClone(self.daemon.exec(self.program)).out, "old\n")

    def build_library(self, text):
        source = write(os.path.join(self.home, "text.c"), LIBRARY % text)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self.library + ".new", source], check=True)
        os.rename(self.library + ".new", self.library)

    def test_changed_library(self):
        self.build_library("new")
        result = self.assertCold(self.daemon.exec(self.program), "libtext.so")
        self.assertEqual(result.out, "new\n")

    def test_missing_library(self):
        os.unlink(self.library)
        result = self.daemon.exec(self.program)
        self.assertEqual(result.code, 127)
        self.assertIn("libtext.so", result.err)

    def test_changed_program(self):
        self.daemon.full_pool()
        copy = self.program + ".new"
        shutil.copy(self.program, copy)
        with open(copy, "ab") as file:
            file.write(b"\0")
        os.rename(copy, self.program)
        self.assertCold(self.daemon.exec(self.program), "program")

    def test_other_program_behind_the_same_link(self):
        link = os.path.join(self.home, "link")
        os.symlink("/bin/echo", link)
        self.assertEqual(self.daemon.exec(link, "a").out, "a\n")
        os.unlink(link)
        os.symlink("/bin/true", link)
        self.assertEqual(self.daemon.exec(link, "a").out, "")
