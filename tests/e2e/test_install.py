# SPDX-License-Identifier: MIT
"""What `make install` leaves below DESTDIR works from there, and needs nothing of the build folder."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import unittest.mock

from case import write
from harness import BUILD, CLONE_TIERS, PYTHON, ROOT, Daemon, base_env, finish, wait_for

SCRIPT = """import sys, warm
warm.ready(argv=True)
print(warm.__file__, *sys.argv[1:])
"""

JAVA_SOURCE = """import warm.Warm;
class App {
    public static void main(String[] args) {
        System.out.println(Warm.ready(new Warm.Options().argv(args)) + " " + Warm.args()[0]);
    }
}
"""

# C and C++
PLUGIN_SOURCE = """#include <warm_plugin.h>
static const char *const paths[] = {"/nowhere/*", 0};
static int offer(struct warm_snapshot *, const struct warm_object *);
static int plan(struct warm_plan *, const struct warm_object *);
static int offer(struct warm_snapshot *s, const struct warm_object *o) { return s && o ? WARM_LEAVE : WARM_REFUSE; }
static int plan(struct warm_plan *p, const struct warm_object *o) { return p && o ? 0 : WARM_REFUSE; }
const struct warm_plugin warm_plugin = {
    WARM_PLUGIN_ABI, sizeof(struct warm_plugin), NAME, "leaves all as it is", 1, 1, paths, 0, offer, 0, plan, 0,
};
"""

C_SOURCE = """#include <stdio.h>
#include <warm.h>
int main(void) { return printf("%d\\n", warm_ready(0)) < 0; }
"""


def plain_env(**more):
    return dict({k: v for k, v in base_env().items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH", "NODE_PATH")},
                PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **more)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dest = tempfile.mkdtemp(prefix="warm-install-")
        cls.addClassCleanup(shutil.rmtree, cls.dest, True)
        os.chmod(cls.dest, 0o755)
        subprocess.run(["make", "-s", "install", f"BUILD={os.path.relpath(BUILD, ROOT)}", f"DESTDIR={cls.dest}", "PREFIX=/usr"],
                       cwd=ROOT, env=plain_env(), stdin=subprocess.DEVNULL, check=True)
        cls.daemon = Daemon()  # its places only: it is never started from here
        cls.addClassCleanup(cls.daemon.close)
        cls.python = os.path.join(cls.dest, "usr/lib/python3/dist-packages")
        cls.env = plain_env(WARM_SOCKET=cls.daemon.socket, WARM_ROOT=cls.daemon.root, PYTHONPATH=cls.python)

    def launch(self, *argv):
        process = subprocess.Popen([os.path.join(self.dest, "usr/bin/warm"), "exec", "--explain", "--", *argv], env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return finish(process)

    def becomes_clone(self, *argv):
        last = None

        def served():
            nonlocal last
            last = self.launch(*argv)
            self.assertEqual(last.code, 0, repr(last))
            return last.tier in CLONE_TIERS
        self.assertTrue(wait_for(served, 20, 0.1), repr(last))
        return last

    def daemons(self):
        """Executables of Warm that have this test's places on their command line."""
        found = {os.readlink(f"/proc/{pid}/exe") for pid in self.daemon.mentioned()}
        return {exe for exe in found if os.path.basename(exe).startswith("warm")}

    def test_python_program_with_a_daemon_that_warm_finds_and_starts(self):
        script = write(os.path.join(self.daemon.dir, "app.py"), SCRIPT)
        result = self.becomes_clone(PYTHON, script, "one", "two")
        self.assertEqual(result.out, f"{self.python}/warm/__init__.py one two\n")
        folders = {os.path.relpath(os.path.dirname(exe), self.dest) for exe in self.daemons()}
        self.assertLessEqual(folders, {"usr/sbin", "usr/libexec/warm"})
        self.assertIn("usr/sbin", folders)

    def test_node_program(self):
        folder, node = os.path.join(self.dest, "usr/lib/node_modules"), shutil.which("node")
        if not node or not os.path.exists(os.path.join(BUILD, "node/warm/warm.node")):
            self.skipTest("no node, or none of its headers when Warm was built")
        script = write(os.path.join(self.daemon.dir, "app.js"),
                       'require("warm").ready({ argv: true }).then(() => console.log(require.resolve("warm"), process.argv[2]))')
        with unittest.mock.patch.dict(self.env, NODE_PATH=folder):
            self.assertEqual(self.becomes_clone(node, script, "one").out, f"{folder}/warm/index.js one\n")

    def test_java_program(self):
        jar, java = os.path.join(self.dest, "usr/share/java/warm.jar"), shutil.which("java")
        if not java or not os.path.exists(os.path.join(BUILD, "java/warm.jar")):
            self.skipTest("no java here, or no JDK when Warm was built")
        source = write(os.path.join(self.daemon.dir, "App.java"), JAVA_SOURCE)
        subprocess.run([java + "c", "-cp", jar, source], env=plain_env(), check=True)
        self.assertEqual(self.becomes_clone(java, "-cp", f"{jar}:{self.daemon.dir}", "App", "one").out, "RESTORED one\n")

    def test_c_program_by_pkg_config(self):
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "warm"], check=True, stdout=subprocess.PIPE, text=True,
                               env=plain_env(PKG_CONFIG_PATH=os.path.join(self.dest, "usr/lib/pkgconfig"),
                                             PKG_CONFIG_SYSROOT_DIR=self.dest,
                                             PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")).stdout.split()
        source, program = (os.path.join(self.daemon.dir, name) for name in ("app.c", "app"))
        write(source, C_SOURCE)
        subprocess.run(["gcc", "-o", program, source, *flags], env=plain_env(), check=True)
        env = dict(self.env, LD_LIBRARY_PATH=os.path.join(self.dest, "usr/lib"))
        done = subprocess.run([program], env=env, stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "2\n"))  # WARM_COLD: outside of `warm exec`

    def doctor(self):
        """What the installed daemon says of plugins, by name."""
        self.launch("/bin/true")
        env = dict(self.env, WARM_SOCKET=self.daemon.socket)
        last = None

        def said():
            nonlocal last
            process = subprocess.Popen([os.path.join(self.dest, "usr/bin/warm"), "--json", "doctor"], env=env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            last = finish(process)
            return last.code == 0
        self.assertTrue(wait_for(said, 10, 0.1), repr(last))
        return {check["name"]: check for check in json.loads(last.out) if check["name"].startswith("plugin")}

    def test_plugins_and_the_header_for_more(self):
        folder = os.path.join(self.dest, "usr/lib/warm/plugins")
        built = sorted(name[:-3] for name in os.listdir(os.path.join(BUILD, "plugins")) if name.endswith(".so"))
        self.assertIn("jvm", built)
        compilers = {"in_c": ["gcc", "-std=c99", "-x", "c"], "in_cxx": ["g++", "-std=c++11", "-x", "c++"]}
        for name, compiler in [(name, command) for name, command in compilers.items() if shutil.which(command[0])]:
            source = write(os.path.join(self.daemon.dir, name), PLUGIN_SOURCE)
            subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", f'-DNAME="{name}"', "-shared", "-fPIC",
                            "-I", os.path.join(self.dest, "usr/include"), "-o", f"{folder}/{name}.so", source],
                           env=plain_env(), check=True)
            os.chmod(f"{folder}/{name}.so", 0o755)
            self.addCleanup(os.unlink, f"{folder}/{name}.so")
            built.append(name)
        checks = self.doctor()
        self.assertEqual(set(checks), {f"plugin {name}" for name in built})
        for name in built:
            check = checks[f"plugin {name}"]
            self.assertEqual((check["ok"], check["path"], check["abi"]), (True, f"{folder}/{name}.so", 1), check)

    def test_nothing_names_where_it_was_built(self):
        pc = os.path.join(self.dest, "usr/lib/pkgconfig/warm.pc")
        with open(pc, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("prefix=/usr\n", text)
        self.assertNotIn(self.dest, text)
        self.assertNotIn(ROOT, text)

    def test_python_finds_the_module_where_debian_looks(self):
        """Below /usr/local too, where its folder has the version in its name."""
        path = subprocess.run([PYTHON, "-c", "import sys; print(*sys.path)"], env=plain_env(), check=True, stdout=subprocess.PIPE,
                              text=True).stdout.split()
        for prefix in ("/usr", "/usr/local"):
            said = subprocess.run(["make", "-s", "-n", "install", f"BUILD={os.path.relpath(BUILD, ROOT)}", f"PREFIX={prefix}",
                                   f"DESTDIR={self.dest}"], cwd=ROOT, env=plain_env(), check=True, stdout=subprocess.PIPE, text=True)
            self.assertTrue([folder for folder in path if f"{self.dest}{folder}/warm/" in said.stdout], (prefix, path))


if __name__ == "__main__":
    unittest.main()
