# SPDX-License-Identifier: MIT
"""Node pre-warmed for programs that know nothing of Warm: what a copy does is what a cold start does."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
import unittest

from case import harness, write
from harness import BUILD, CLONE_TIERS, finish
from test_node import NODE, needs_node
from test_prewarm import PrewarmCase

# What a program can see of how it was started. Of SigQ all processes of the user are counted.
STATE = r"""
const Module = require("module"), fs = require("fs"), { Worker } = require("worker_threads");
const { execFileSync } = require("child_process");
const proc = (name) => fs.readFileSync("/proc/self/" + name, "latin1");
const shape = (object) => Object.entries(Object.getOwnPropertyDescriptors(object)).map(([name, own]) =>
  [name, own.writable, own.enumerable, own.configurable, typeof own.value].join());
const fds = () => fs.readdirSync("/proc/self/fd").map((fd) => {
  try { return fd + fs.readlinkSync("/proc/self/fd/" + fd).replace(/\d+/, ""); } catch { return fd; } });
const show = (...values) => process.stdout.write(values.map((value) => JSON.stringify(value)).join("\n") + "\n");
show(process.argv, process.execArgv, process.argv0, process.execPath, process.title, process._eval, process._preload_modules);
show(process.cwd(), process.env, process.debugPort, shape(process), shape(globalThis), process.eventNames());
show(typeof module === "object" && [require.main === module, module.id, module.path, module.paths, module.children.length]);
show(Object.keys(require.cache), Object.keys(Module._pathCache), Module.globalPaths, Module._initPaths.name, shape(Module));
show(proc("cmdline"), proc("comm"), process.env.ENVIRON && proc("environ").split("\0").sort(), proc("limits"), fds());
show(proc("status").split("\n").filter((line) => /^(Sig[PBIC]|Shd|Cap|NoNew|Seccomp|Umask|Threads)/.test(line)));
show(process._getActiveHandles().length, process.umask(), ["stdin", "stdout", "stderr"].map((name) =>
  [process[name].constructor.name, process[name].isTTY, process[name].writableLength]));
const { commandLine, cwd } = process.report.getReport().header;
show(commandLine, cwd, performance.nodeTiming.loopStart > 0, new Error("here").stack);
process.title = "t".repeat(300);
show(process.title, proc("cmdline"));
new Worker("const { parentPort } = require('worker_threads'); parentPort.postMessage([process.argv, process.execArgv, "
  + "process.env.NODE_OPTIONS, process._preload_modules, Object.keys(require.cache)])", { eval: true })
  .on("message", (seen) => show(seen))
  .on("exit", () => setTimeout(() => show("timer",
    execFileSync(process.execPath, ["-p", "[process.env, process.execArgv]"], { encoding: "utf8" })), 5));
"""

BRIEF = """
console.log(process.argv, process.execArgv, process.title, require.main === module, module.id, module.paths, module.parent);
console.log(__filename, Object.keys(require.cache), require("fs").readFileSync("/proc/self/comm", "latin1"), new Error("here").stack);
"""

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

MODULE = """
import { createRequire } from "node:module";
import other from "./other.cjs";
console.log(import.meta.url, import.meta.filename, process.argv.slice(1), other, typeof require, this === undefined);
console.log(await import("./other.cjs"), Object.keys(createRequire(import.meta.url).cache).length);
"""


class NodeCase(PrewarmCase):
    config = "[node]\nprewarm = yes\n[python]\nprewarm = no\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, text in (("state.js", STATE), ("brief.js", BRIEF), ("brief.cjs", BRIEF), ("bare", BRIEF), ("package/index.js", BRIEF),
                           ("module.mjs", MODULE), ("other.cjs", "module.exports = 'other';"),
                           ("typed/package.json", '{"type": "module", "imports": {"#x": "./x.js"}}'), ("typed/index.js", MODULE),
                           ("typed/other.cjs", "module.exports = __filename;"),
                           ("node_modules/known/index.js", "module.exports = __filename;"),
                           ("early.js", "console.log('early', module.parent.id, module.parent.paths, process.argv);"),
                           ("early.mjs", "console.log('early', import.meta.url);")):
            os.makedirs(os.path.dirname(os.path.join(cls.place, name)), exist_ok=True)
            write(os.path.join(cls.place, name), text)
        os.symlink("brief.js", os.path.join(cls.place, "link.js"))
        os.symlink("typed/index.js", os.path.join(cls.place, "typed-link"))


    def check_same(self, *argv, **keywords):
        cold = self.daemon.exec(*argv, options=("--cold",), **keywords)
        clone = self.clone(*argv, **keywords)
        want, got = ((done.code, done.out, re.sub(r"(?m)^\(node:\d+\)", "(node:PID)", done.err)) for done in (cold, clone))
        self.assertEqual(got, want, argv)


@needs_node
class Node(NodeCase):
    def test_files(self):
        env = {"ENVIRON": "1", "EMPTY": "", "UMLAUT": "ü", **{f"VARIABLE_{n}": "x" * n for n in range(200)}}
        self.check_same(NODE, os.path.join(self.place, "state.js"), env=env)
        for words in (["brief.js", "a", "-b", ""], ["./brief"], ["../place/brief.cjs"], ["bare", "x"], ["package"], ["."],
                      ["link.js"], ["module.mjs", "a"], ["typed"], ["typed/index.js", "--x"], ["typed-link"], ["missing.js"]):
            with self.subTest(" ".join(words)[:40]):
                self.check_same(NODE, *words, cwd=self.place)

    def test_one_snapshot_serves_every_program_and_place(self):
        self.clone(NODE, "brief.js", cwd=self.place)
        for n in range(4):
            path = self.script(f"console.log({n}, process.cwd(), process.env.N, require.main.filename)", f"n{n}.js")
            done = self.daemon.exec(NODE, path, cwd=("/", self.place)[n % 2], env={"N": str(n)})
            self.assertClone(done)
            self.assertEqual(done.out, f"{n} {('/', self.place)[n % 2]} {n} {path}\n")
        # What the first one found around it is looked at anew.
        for kind in ("module", "commonjs"):
            write(os.path.join(self.place, "package.json"), json.dumps({"type": kind}))
            done = self.daemon.exec(NODE, self.script("console.log(typeof require)", "typed.js"))
            self.assertClone(done)
            self.assertEqual(done.out, {"module": "undefined\n", "commonjs": "function\n"}[kind])
        os.unlink(os.path.join(self.place, "package.json"))

    def test_code(self):
        for words in (["-e", STATE, "a", "-u"], ["--eval=console.log(process.argv, process.execArgv, process._eval)"], ["-e", ""], ["-e", "throw new Error('no')"], ["-e", "(", "x"],
                      ["-e", "console.log(require('known'), __filename, require.main, module.paths)"],
                      ["-e", "import('./other.cjs').then(console.log)", "--", "-x"]):
            with self.subTest(" ".join(words)[:40]):
                self.check_same(NODE, *words, cwd=self.place)
        for words in (["-p", "process.argv.concat(process.execArgv, process._eval)", "x"], ["-pe", "[1, {a: [module.id]}]"],
                      ["--print", "crypto.constants.defaultCipherList.length"]):
            with self.subTest(" ".join(words)[:40]):
                self.check_same(NODE, *words, cwd=self.place)

    def test_standard_input(self):
        for words, text in (([], STATE), (["-"], BRIEF), (["-", "a", "-b"], BRIEF)):
            with self.subTest(words):
                self.check_same(NODE, *words, stdin=text, cwd=self.place)
        text = "process.stdin.on('data', (part) => console.log(String(part))).on('end', () => console.log('end'))"
        self.check_same(NODE, self.script(text), stdin="a\nb\n")

    def test_how_programs_end(self):
        for text in ("function f() { throw new TypeError('no'); }\nf();", "null.x", "(", "process.exit(7)", "process.exitCode = 3",
                     "setTimeout(() => { throw 'words'; }, 1)", "Promise.reject(new Error('lost'))", "require('./no-such')",
                     "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 9999)", "process.abort()",
                     "process.on('exit', (code) => console.log('end', code)); process.stdout.write('x')",
                     "process.once('SIGUSR2', () => console.log('signal')); process.kill(process.pid, 'SIGUSR2'); setTimeout(() => {}, 50)",
                     "process.on('uncaughtException', (e, origin) => console.log(e.message, origin)); x", "import './no-such.mjs'",
                     "await 0; console.log(typeof require)"):
            with self.subTest(text):
                self.check_same(NODE, self.script(text, "end.mjs" if "import '" in text or "await" in text else "end.js"))
        self.check_same(NODE, self.script("await new Promise(() => {})", "never.mjs"))

    def test_clocks_start_anew(self):
        text = """
        const began = process.hrtime.bigint(), up = process.uptime() * 1e3, now = performance.now();
        const { nodeStart, v8Start, environment, bootstrapComplete } = performance.nodeTiming;
        console.log(JSON.stringify([up, now, Math.abs(performance.timeOrigin + now - Date.now()), nodeStart, v8Start,
                                    environment, bootstrapComplete, Number(began / 1000000n)]));
        setTimeout(() => console.log(Number(process.hrtime.bigint() - began) / 1e6), 100);"""
        path = self.script(text)
        self.clone(NODE, path)
        for _ in range(2):
            began = time.monotonic() * 1e3
            times, slept = self.daemon.exec(NODE, path, options=("--require",)).out.splitlines()
            up, now, off, *parts, steady = json.loads(times)
            self.assertTrue(0 < up <= now < 5000, times)
            self.assertLess(off, 1000, times)
            self.assertEqual(sorted([0, *parts, now]), [0, *sorted(parts), now], times)
            self.assertTrue(began <= steady <= time.monotonic() * 1e3 + 1)
            self.assertTrue(99 < float(slept) < 5000, slept)

    def test_copies_differ_in_what_is_random(self):
        text = "const c = require('crypto');\nconsole.log(Math.random(), c.randomUUID(), c.randomInt(2 ** 40), c.randomBytes(8).toString('hex'))"
        path = self.script(text)
        self.clone(NODE, path)
        launches = [self.daemon.popen(NODE, path, options=("--require",)) for _ in range(3)]
        drawn = [finish(launch).out.split() for launch in launches]
        self.assertEqual([len(set(numbers)) for numbers in zip(*drawn)], [3] * 4, drawn)

    def test_interrupt(self):
        path = self.script("console.log('up'); setTimeout(() => {}, 60000)")
        self.clone(NODE, self.script("0", "nothing.js"))
        for options in (("--cold",), ("--require",)):
            launch = self.daemon.popen(NODE, path, options=options)
            self.assertEqual(launch.stdout.readline(), b"up\n")
            launch.send_signal(signal.SIGINT)
            done = finish(launch)
            self.assertEqual((done.code, done.out, done.err), (-signal.SIGINT, "", ""))

    def test_pipes_are_left_as_they_were_found(self):
        """node makes a pipe that it reads non-blocking, and blocking again at its end, whichever that is."""
        for last in ("process.exit()", "process.kill(process.pid, 'SIGINT')"):
            path = self.script(f"process.stdin.once('data', () => {last})")
            for options in (("--cold",), ("--require",)):
                reader, writer = os.pipe()
                self.clone(NODE, self.script("0", "nothing.js"), stdin="")
                launch = self.daemon.popen(NODE, path, options=options, stdin=reader)
                os.write(writer, b"x")
                finish(launch)
                self.assertTrue(os.get_blocking(reader), (last, options))
                os.close(reader)
                os.close(writer)

    def test_terminal(self):
        path = self.script("console.log(['stdin', 'stdout', 'stderr'].map((n) => [process[n].constructor.name, process[n].isTTY]), "
                           "process.stdout.columns, process.stdin.setRawMode(true).isRaw)")

        def run(*options):
            leader, follower = pty.openpty()
            with subprocess.Popen([harness.WARM, "exec", *options, "--", NODE, path], env=self.daemon.env, stdin=follower,
                                  stdout=follower, stderr=subprocess.PIPE, start_new_session=True) as launch:
                os.close(follower)
                done = finish(launch)
            out = os.read(leader, 65536)
            os.close(leader)
            return done.code, out, json.loads(done.err)["tier"]
        code, out, _ = run("--cold", "--explain")
        seen = []
        self.assertTrue(harness.wait_for(lambda: seen.append(run("--explain")) or seen[-1][2] in CLONE_TIERS, 15, 0.05), seen)
        self.assertEqual(seen[-1][:2], (code, out))
        self.assertIn(b"ReadStream", out)


@needs_node
class Options(NodeCase):
    def test_options(self):
        write(os.path.join(self.place, "o.js"), "console.log(process.execArgv, process.argv.length, require('module').runMain.name)\n"
              "console.log(Object.keys(require.cache))\nprocess.emitWarning('careful')\nnew Promise((_, no) => no(new Error('x')))")
        for options in (["--unhandled-rejections=strict", "-r", "./early.js", "--require", "known", "--"],
                        ["--import", "./early.mjs", "--stack_trace_limit=2"]):
            with self.subTest(options):
                self.check_same(NODE, *options, "o.js", "-x", cwd=self.place)
        self.check_same(NODE, "--input-type=module", "-e", "import fs from 'fs'; console.log(process._eval, typeof require, await 1)")

    def test_early_modules_may_look_at_runMain(self):
        write(os.path.join(self.place, "wrap.js"), "const M = require('module'), run = M.runMain;\nconsole.log(run.name);\n"
              "M.runMain = function (...words) { console.log('main', words, process.argv); return run.apply(this, words); };")
        for name in ("state.js", "module.mjs"):
            self.check_same(NODE, "-r", "./wrap.js", name, cwd=self.place)

    def test_variables(self):
        for env in ({"NODE_OPTIONS": "--no-warnings  -r ./early.js", "NODE_PATH": os.path.join(self.place, "node_modules")},
                    {"NODE_OPTIONS": "", "NODE_EXTRA_CA_CERTS": CERTIFICATES if os.path.exists(CERTIFICATES) else ""}):
            with self.subTest(env):
                self.check_same(NODE, "-p", "[require('module').globalPaths, process.env.NODE_OPTIONS, 'NODE_OPTIONS' in process.env, "
                                "require('known'), process._preload_modules]", cwd=self.place, env=env)

    def test_scripts_with_an_interpreter_line(self):
        env = {"PATH": f"{self.place}:{self.daemon.env['PATH']}"}
        for name, line in (("by-env", "/usr/bin/env node"), ("option", NODE + " --no-warnings")):
            path = self.script(f"#!{line}\n{STATE if name == 'by-env' else BRIEF}", name, 0o755)
            with self.subTest(line):
                self.check_same(path, "a", env=env)
                self.script(f"#!{line}\n{BRIEF}", name, 0o755)
                self.check_same("./" + name, "--version", cwd=self.place, env=env)

    def test_what_is_left_alone(self):
        for words in (["--version"], ["-c", "state.js"], ["--inspect=0", "-e", "0"], ["--title=x", "-e", "0"], ["-h"], ["-i", "-e", "0"]):
            with self.subTest(words):
                self.assertCold(self.daemon.exec(NODE, *words, cwd=self.place), "nothing is pre-warmed: an option that is not known")
        words = ["-p", "[process.env.NODE_OPTIONS, process._preload_modules]"]
        for env, why in (({"NODE_DEBUG": "module"}, "$NODE_DEBUG is set"), ({"NODE_OPTIONS": "--experimental-permission --allow-fs-read=/lib"}, "$NODE_OPTIONS"),
                         ({"NODE_V8_COVERAGE": self.folder("coverage")}, "$NODE_V8_COVERAGE is set"),
                         ({"NODE_OPTIONS": "--no-addons"}, ""), ({"NODE_EXTRA_CA_CERTS": "/no/such"}, "$NODE_EXTRA_CA_CERTS"), ({"NODE_PENDING_DEPRECATION": "1"}, "deprecated")):
            cold = self.daemon.exec(NODE, *words, options=("--cold",), env=env)
            for again in range(2):
                done = self.assertCold(self.daemon.exec(NODE, *words, env=env), *[why] * again)
                self.assertEqual((done.code, done.out), (cold.code, cold.out), env)

    def test_heap_that_cannot_grow(self):
        """V8's code begins where malloc's heap ends: one start in some dozens."""
        self.check_same(NODE, "-p", "process.argv.length", env={"LD_PRELOAD": os.path.join(BUILD, "tests", "ceiling.so")})

    def test_launcher_of_another_node(self):
        shim = shutil.copy("/usr/bin/env", os.path.join(self.folder("shim"), "node"))
        for again in range(2):
            done = self.assertCold(self.daemon.exec(shim, NODE, self.script("console.log(1)")), *["executed another"] * again)
            self.assertEqual(done.out, "1\n")


@needs_node
class OwnHook(NodeCase):
    HOOK = "const warm = require('warm'), state = Math.random();\nwarm.ready({ argv: true }).then((result) => " \
           "console.log(result, state, process.argv.slice(2).join()))"

    def run_hook(self, path, *words):
        done = self.daemon.exec(NODE, path, *words)
        self.assertEqual(done.code, 0, done)
        return done, done.out.split()

    def test_first_run_of_node_is_one_of_the_program_too(self):
        path = self.script(self.HOOK, "first.js")
        done, words = self.run_hook(path)
        self.assertEqual((done.tier, words[0]), ("cold_start", "resumed"))
        self.daemon.published(2)
        done, words = self.run_hook(path, "x")
        self.assertClone(done)
        self.assertEqual((words[0], words[2]), ("restored", "x"))
        self.clone(NODE, self.script("0"))

    def test_hook_in_a_copy_leads_to_a_snapshot_of_its_own(self):
        self.clone(NODE, self.script("0"))
        path = self.script(self.HOOK, "later.js")
        said = []

        def served():
            done, words = self.run_hook(path)
            said.append((done.tier, words[0]))
            return words[0] == "restored"
        self.assertTrue(harness.wait_for(served, 15, 0.05), said)
        self.assertEqual((said[0][0] in CLONE_TIERS, said[0][1]), (True, "cold"), said)
        self.assertEqual(said[1], ("cold_start", "resumed"), said)


@needs_node
class Preload(NodeCase):
    config = "[node]\npreload = {place}/node_modules/heavy no-such-module\nkeep-env = KEPT_*\n[python]\nprewarm = no\n"

    @classmethod
    def setUpClass(cls):
        cls.heavy = harness.tempfile.mkdtemp(prefix="warm-test-")
        cls.addClassCleanup(harness.shutil.rmtree, cls.heavy)
        os.makedirs(os.path.join(cls.heavy, "node_modules"))
        write(os.path.join(cls.heavy, "node_modules", "heavy.js"),
              "exports.uuid = require('crypto').randomUUID(); exports.kept = process.env.KEPT_ONE;\n"
              "exports.timer = setTimeout(() => console.log('due at once'), 2000);")
        write(os.path.join(cls.heavy, "app.js"), "console.log(module.children.length, Object.keys(require.cache).length)\n"
              "const heavy = require('heavy')\n"
              "console.log(heavy.uuid, require('crypto').randomUUID(), heavy.kept, Math.random())\n"
              "setTimeout(() => clearTimeout(heavy.timer), 20)")
        cls.config = Preload.config.replace("{place}", cls.heavy)
        super().setUpClass()

    def test_modules_are_there(self):
        app = os.path.join(self.heavy, "app.js")
        first = self.clone(NODE, app).out.split()
        time.sleep(2.2)  # longer than the timer
        second = self.clone(NODE, app).out.split()
        self.assertEqual(first[:3], second[:3])
        self.assertEqual(first[:2], ["0", "2"])
        self.assertEqual((first[6:], second[6:]), ([], []))
        self.assertNotEqual((first[3], first[5]), (second[3], second[5]))
        self.assertIn("no-such-module", self.daemon.log())

    def test_variables_that_they_look_at_count(self):
        app = os.path.join(self.heavy, "app.js")
        self.assertIn(" 1 ", self.clone(NODE, app, env={"KEPT_ONE": "1", "OTHER": "1"}).out)
        self.assertClone(self.daemon.exec(NODE, app, env={"KEPT_ONE": "1", "OTHER": "2"}))
        self.assertCold(self.daemon.exec(NODE, app, env={"KEPT_ONE": "2"}), "KEPT_ONE")

    def test_their_change_is_a_miss(self):
        app = os.path.join(self.heavy, "app.js")
        self.clone(NODE, app)
        with open(os.path.join(self.heavy, "node_modules", "heavy.js"), "a", encoding="utf-8") as file:
            file.write("\n")
        self.assertCold(self.daemon.exec(NODE, app), "heavy.js")
        self.assertTrue(harness.wait_for(lambda: self.daemon.exec(NODE, app).tier in CLONE_TIERS, 15, 0.1))


@needs_node
class Off(NodeCase):
    config = "[node]\nprewarm = no\n"

    def test_nothing_is_taken(self):
        for _ in range(2):
            self.assertCold(self.daemon.exec(NODE, "-e", "0"))
        self.assertEqual(self.daemon.ls(), [])


@needs_node
class PreloadLink(NodeCase):
    """[node] preload names a module by way of a link, which is put from one release onto another."""

    @classmethod
    def setUpClass(cls):
        cls.releases = harness.tempfile.mkdtemp(prefix="warm-test-")
        cls.addClassCleanup(harness.shutil.rmtree, cls.releases)
        for version in ("old", "new"):
            os.mkdir(os.path.join(cls.releases, version))
            write(os.path.join(cls.releases, version, "words.js"), f"module.exports = '{version}'")
        cls.config = f"[node]\npreload = {cls.releases}/current/words\n[python]\nprewarm = no\n"
        os.symlink("old", os.path.join(cls.releases, "current"))
        super().setUpClass()

    def test_link_is_moved(self):
        words = [NODE, "-p", f"require('{self.releases}/current/words')"]
        current = os.path.join(self.releases, "current")
        self.assertEqual(self.clone(*words).out, "old\n")
        os.symlink("new", current + ".new")
        os.rename(current + ".new", current)
        self.assertEqual(self.assertCold(self.daemon.exec(*words), current).out, "new\n")
        self.assertEqual(self.clone(*words).out, "new\n")


del PrewarmCase, NodeCase

if __name__ == "__main__":
    unittest.main()
