# SPDX-License-Identifier: MIT
"""Node: the hook against a played daemon, and copies of real programs."""
import json
import os
import shutil
import subprocess
import time
import unittest

from case import WarmCase, make_snapshot, write
from harness import BUILD, base_env, finish, wait_for
from test_hook import PENDING, Daemon, Hook, reply, wire

NODE = shutil.which("node", path=base_env()["PATH"])
THERE = os.path.exists(os.path.join(BUILD, "node", "warm", "warm.node"))
needs_node = unittest.skipUnless(NODE and THERE, "no node, or none of its headers when Warm was built")

HOOK_APP = """
const { spawnSync } = require("node:child_process");
const warm = require("warm");
const hooks = [], fail = process.env.FAIL;
const pause = () => new Promise((done) => setImmediate(done));
warm.beforeSnapshot(() => { hooks.push("before 1"); });
warm.beforeSnapshot(async () => { await pause(); hooks.push("before 2"); if (fail === "before") throw new Error("no"); });
warm.afterRestore(async () => { await pause(); hooks.push("after 1"); });
warm.afterRestore(() => { hooks.push("after"); if (fail === "after") throw new Error("two\\nlines"); });
const app = async () => {
  const began = performance.now();
  const result = await warm.ready({ argv: true, env: ["APP_*", "ONE"], depends: ["data.txt"] });
  const took = (performance.now() - began) / 1e3;
  const child = spawnSync(process.execPath, [__filename], { env: { ...process.env, CHILD: "1" } });
  const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => /^(APP_|ONE|TWO)/.test(k)));
  console.log(JSON.stringify({ result, again: await warm.ready(), hooks, took, argv: process.argv.slice(2), env,
                               generation: Number(warm.generation()), child: child.status }));
};
if (process.env.CHILD) warm.ready().then((result) => process.exit(result === "cold" ? 0 : 1));
else app();
"""

# Every generator is used before the hook, so that what it keeps is in the snapshot.
DICE = """
const { random } = Math;
const warm = require("warm");
const crypto = require("node:crypto");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");
const draw = () => ({
  random: Math.random(), "random taken before": random(), randomBytes: crypto.randomBytes(8).toString("hex"),
  randomUUID: crypto.randomUUID(), randomInt: crypto.randomInt(2 ** 40), key: crypto.generateKeySync("hmac", { length: 128 })
  .export().toString("hex"), getRandomValues: [...crypto.webcrypto.getRandomValues(new Uint32Array(2))],
  webUUID: crypto.webcrypto.randomUUID() });
draw();
if (!isMainThread) parentPort.on("message", () => parentPort.postMessage(draw()));
else {
  const worker = new Worker(__filename);
  const ask = () => new Promise((done) => { worker.once("message", done); worker.postMessage(0); });
  ask().then(() => warm.ready()).then(async () => {
    const contextual = require("node:vm").runInNewContext("Math.random()");
    console.log(JSON.stringify({ ...draw(), contextual, generation: String(warm.generation()), worker: await ask() }));
    process.exit();
  });
}
"""

TIMERS = """
const warm = require("warm");
const seen = [];
const made = performance.now();
let began = 0;
const note = (name) => () => seen.push([name, performance.now() - began]);
setTimeout(note("1000"), 1000);
setTimeout(note("1100"), 1100);
setTimeout(note("also 1000"), 1000);
require("node:timers/promises").setTimeout(1200).then(note("promise"));
const tick = setInterval(() => { note("tick")(); clearInterval(tick); }, 700);
setTimeout(note("cleared"), 500).unref().close();
(async () => {
  await warm.ready();
  began = performance.now();
  setTimeout(note("new"), 50);
  setTimeout(() => console.log(JSON.stringify({ passed: began - made, seen })), 1300);
})();
"""

SERVER = """
const warm = require("warm");
const http = require("node:http");
const { Worker } = require("node:worker_threads");
const worker = new Worker('require("worker_threads").parentPort.on("message", function (n) { this.postMessage(n * 2); })',
                          { eval: true });
const server = http.createServer((request, response) => {
  worker.once("message", (n) => response.end(`${request.url} ${n}\\n`));
  worker.postMessage(21);
});
server.listen(0, async () => {
  const { port } = server.address();
  await new Promise((done) => http.get({ port, path: "/warm", agent: false }, (r) => r.resume().on("end", done)));
  await new Promise((done) => setTimeout(done, 20));
  await warm.ready({ argv: true });
  let text = "";
  http.get({ port, path: process.argv[2], agent: false }, (response) => response.setEncoding("utf8")
    .on("data", (part) => { text += part; }).on("end", () => { process.stdout.write(text); process.exit(); }));
});
"""

# Streams that are in use before the hook: standard input has been read from, and flows.
STREAMS = """
const warm = require("warm");
console.log("before");
console.error("before");
let text = "";
process.stdin.setEncoding("utf8").on("data", (part) => { text += part; }).on("end", () => console.log(`read ${text}`));
process.stdin.once("data", async () => {
  await warm.ready({ argv: true, cwd: true, env: ["APP_X", "TZ"] });
  if (warm.generation()) text = "";
  console.log(process.argv.slice(2).join(), process.env.APP_X, process.cwd(), process.env.TZ, new Date(0).getHours());
  console.error("after");
});
"""


@needs_node
class NodeHook(Hook, unittest.TestCase):
    source, runtime, suffix = HOOK_APP, NODE, ".js"

    def setUp(self):
        super().setUp()
        self.launch_argv = [NODE, self.script, b"new", b"two"]

    test_signals_do_not_make_the_wait_longer = None  # the same C code as libwarm's

    def test_before_hooks_run_latest_first_and_after_hooks_in_order(self):
        self.assertEqual(self.run_app(self.restored())["hooks"], ["before 2", "before 1", "after 1", "after"])

    def test_options_of_node_are_not_the_programs(self):
        code = 'require("warm").ready({ argv: true }).then(() => console.log(process.argv))'
        write(self.script, code)
        for argv, fixed in ([NODE, "--no-warnings", "-r", "path", self.script, "a"], 5), ([NODE, "-p", code, "a", "b"], 3):
            with self.subTest(argv):
                path = os.path.join(self.directory.name, f"s{fixed}")
                daemon = Daemon(path, [reply(wire.RESTORED, [*argv[:fixed], "new"])], PENDING)
                said = subprocess.run(argv, env=dict(base_env(), WARM_SOCKET=path), capture_output=True, text=True, timeout=20,
                                      check=False)
                self.assertEqual(dict(daemon.ready)[wire.FIXED_ARGS], fixed)
                self.assertIn("'new'", said.stdout, said.stderr)

    def test_code_and_the_places_it_was_looked_for_are_declared(self):
        folder = self.directory.name
        for name, code in {"node_modules/dep/package.json": '{"main": "lib"}', "node_modules/dep/lib/index.js": "",
                           "data.json": "{}", "es.mjs": 'import "./deep.mjs";', "deep.mjs": "export default 1;"}.items():
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            write(os.path.join(folder, name), code)
        os.symlink("../packages/linked", os.path.join(folder, "node_modules/linked"))
        write(self.script, 'require("dep"); require("./data"); import("./es.mjs").then(() => require("warm").ready());')
        self.run_app(reply(wire.COLD), env={"NODE_EXTRA_CA_CERTS": "/nowhere/certs"})
        paths = self.daemon.paths()
        for name in ("app.js", "app", "es.mjs", "deep.mjs", "data.json", "data.js", "data", "package.json",
                     "node_modules/dep/lib/index.js", "node_modules/dep/lib/index", "node_modules/dep/lib.js",
                     "node_modules/dep/package.json", "node_modules/dep/lib/package.json", "node_modules/linked/package.json",
                     "node_modules/dep/node_modules"):
            self.assertEqual(paths.get(os.path.join(folder, name)), [], name)
        self.assertIn("/", paths[os.path.join(folder, "node_modules")])
        self.assertEqual(paths["/nowhere/certs"], [])

    def test_es_module(self):
        write(self.script, "")
        folder = os.path.join(self.directory.name, "node_modules")
        os.makedirs(folder)
        os.symlink(os.path.join(BUILD, "node", "warm"), os.path.join(folder, "warm"))
        self.script = write(os.path.join(self.directory.name, "app.mjs"),
                            'import warm, { ready } from "warm"; console.log(JSON.stringify([await ready(), ready === warm.ready]));')
        self.assertEqual(self.run_app(daemon=False), ["cold", True])

    def test_what_typescript_makes_of_an_import(self):
        """`tsc --module commonjs` of `import warm, { ready } from "warm"`, without esModuleInterop and with it."""
        interop = "const __importDefault = (mod) => (mod && mod.__esModule) ? mod : { default: mod };\n"
        for imports in 'const warm_1 = require("warm");', interop + 'const warm_1 = __importDefault(require("warm"));':
            with self.subTest(imports):
                write(self.script, f"""
                    "use strict";
                    Object.defineProperty(exports, "__esModule", {{ value: true }});
                    {imports}
                    warm_1.default.ready().then((said) => console.log(JSON.stringify([said, typeof warm_1.default.generation])));
                    """)
                self.assertEqual(self.run_app(daemon=False), ["cold", "function"], self.errors)

    def test_worker_is_cold_and_wrong_options_are_refused(self):
        write(self.script, """
            const { Worker, isMainThread, parentPort } = require("node:worker_threads"), warm = require("warm");
            const refused = ({ message }) => message;
            if (!isMainThread) warm.ready().then((said) => parentPort.postMessage(said));
            else new Worker(__filename).on("message", async (said) => console.log(JSON.stringify([said,
              await warm.ready({ env: "A" }).catch(refused), await warm.ready({ depends: [""] }).catch(refused), await warm.ready()])));
            """)
        self.assertEqual(self.run_app(reply(wire.RESUMED)),
                         ["cold", "env is an array of names", "depends is an array of names", "resumed"])
        self.assertEqual(self.daemon.greeted, 1)


@needs_node
class Copies(WarmCase):
    publish_app = False

    def program(self, name, code):
        return write(os.path.join(self.daemon.dir, name), code)

    def clone(self, *argv, **keywords):
        self.daemon.full_pool()
        result = self.assertClone(self.daemon.exec(NODE, *argv, **keywords))
        self.assertEqual(result.code, 0, repr(result))
        return result

    def test_random_numbers_of_copies_at_once_differ(self):
        script = self.program("dice.js", DICE)
        seen = [json.loads(self.daemon.exec(NODE, script).out)]
        self.assertEqual(seen[0]["generation"], "0")
        make_snapshot(self.daemon, NODE, script)
        seen += [json.loads(self.assertClone(finish(p)).out) for p in
                 [self.daemon.popen(NODE, script, options=("--explain",)) for _ in range(3)]]
        for drawn in seen:
            drawn.update({"worker " + name: value for name, value in drawn.pop("worker").items()})
        for name in seen[0]:
            self.assertEqual(len({json.dumps(drawn[name]) for drawn in seen}), 4, f"{name}: {[d[name] for d in seen]}")
            self.assertNotEqual(seen[0].get(name), seen[0].get("worker " + name))

    def test_timers_keep_their_distance(self):
        script = self.program("timers.js", TIMERS)
        passed = json.loads(self.daemon.exec(NODE, script).out)["passed"]  # in the original; in the image it was less
        row = make_snapshot(self.daemon, NODE, script)
        wait_for(lambda: time.time() > row["created"] + 3, 5)  # all of them are past on the original's clock
        seen = json.loads(self.clone(script).out)["seen"]
        self.assertEqual([name for name, _ in seen], ["new", "tick", "1000", "also 1000", "1100", "promise"])
        for name, after in {"new": 50 + passed, "tick": 700, "1000": 1000, "also 1000": 1000, "1100": 1100, "promise": 1200}.items():
            self.assertGreater(dict(seen)[name], after - passed - 2, (passed, seen))

    def test_http_server_with_a_worker_thread(self):
        script = self.program("server.js", SERVER)
        make_snapshot(self.daemon, NODE, script, "/first")
        for path in ("/one", "/two", "/three"):
            self.assertEqual(self.clone(script, path).out, f"{path} 42\n")

    def test_streams_arguments_environment_and_directory(self):
        script = self.program("streams.js", STREAMS)
        first = self.daemon.popen(NODE, script, "a", env={"APP_X": "1", "TZ": "UTC"}, stdin=subprocess.PIPE, cwd=self.daemon.dir)
        first.stdin.write(b"early")
        first.stdin.flush()
        self.daemon.published(command=script)
        self.assertEqual(finish(first, " late").out, f"before\na 1 {self.daemon.dir} UTC 0\nread early late\n")
        for text in ("short", "long" * 100000):
            result = self.clone(script, "b", "c", stdin=text, env={"APP_X": "2", "TZ": "Asia/Tokyo"}, cwd="/")
            self.assertEqual(result.out, f"b,c 2 / Asia/Tokyo 9\nread {text}\n")
            self.assertIn("after", result.err.splitlines())  # before or behind the line of --explain

    def test_standard_input_of_another_kind_is_a_cold_start(self):
        script = self.program("input.js", 'require("warm").ready({ argv: true }).then(() => console.log('
                              'require("fs").readFileSync(0, "utf8"), process.argv[2]))')
        path = write(os.path.join(self.daemon.dir, "input.txt"), "from a file")
        make_snapshot(self.daemon, NODE, script, "x")
        self.assertEqual(self.clone(script, "y").out, " y\n")
        with open(path, encoding="utf-8") as file:
            cold = finish(self.daemon.popen(NODE, script, "z", options=("--explain",), stdin=file))
        self.assertEqual((cold.tier, cold.out), ("cold_start", "from a file z\n"))

    def test_pipe_is_as_it_was_when_a_copy_ends(self):
        """libuv makes its pipes nonblocking; the caller's goes back to what it was."""
        script = self.program("pipe.js", 'console.log("a"); require("warm").ready().then(() => console.log("b"))')
        make_snapshot(self.daemon, NODE, script)
        self.daemon.full_pool()
        ours, theirs = os.pipe()
        try:
            process = self.daemon.popen(NODE, script, options=("--explain",), stdout=theirs)
            process.wait(20)
            self.assertTrue(os.get_blocking(theirs))
            self.assertEqual(os.read(ours, 100), b"b\n")
        finally:
            os.close(ours)
            os.close(theirs)

    def test_output_that_waits_in_a_pipe_is_written_before_the_freeze(self):
        script = self.program("flood.js", 'process.stdout.write("x".repeat(1e6) + "\\n");'
                              'require("warm").ready().then((r) => console.log(r))')
        make_snapshot(self.daemon, NODE, script)
        self.assertEqual(self.clone(script).out, "restored\n")

    def test_changed_code_is_a_miss_with_its_reason(self):
        folder = self.folder("edit")
        write(os.path.join(folder, "dep.mjs"), "export const n = 1;")
        script = write(os.path.join(folder, "app.mjs"), 'import { createRequire } from "node:module"; import { n } from "./dep.mjs";'
                       'await createRequire(import.meta.url)("warm").ready(); console.log(n);')
        make_snapshot(self.daemon, NODE, script)
        self.assertEqual(self.clone(script).out, "1\n")
        write(os.path.join(folder, "dep.mjs"), "export const n = 22;")
        result = self.assertCold(self.daemon.exec(NODE, script), "dep.mjs")
        self.assertEqual(result.out, "22\n")
        make_snapshot(self.daemon, NODE, script)
        os.makedirs(os.path.join(folder, "node_modules", "new"))
        self.assertCold(self.daemon.exec(NODE, script), "node_modules")

    def test_watcher_is_refused_by_name_and_the_program_goes_on(self):
        script = self.program("watch.js", 'const w = require("fs").watch(__dirname);'
                              'require("warm").ready().then((r) => { console.log(r); w.close(); })')
        self.assertEqual(self.daemon.exec(NODE, script).out, "cold\n")
        self.assertIn("inotify", self.daemon.log())


if __name__ == "__main__":
    unittest.main()
