# SPDX-License-Identifier: MIT
"""OpenSSL's random numbers: no two of an original and its clones draw the same, wherever OpenSSL is, and whether or not the
program calls the hook."""
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import unittest

from case import WarmCase, make_snapshot, write
from harness import BUILD, PYTHON, Daemon, finish
from refusals import refusal

NODE = shutil.which("node")

CTYPES = """import ctypes, sys, warm
crypto = ctypes.CDLL("libcrypto.so.3")
def draw():
    drawn = ctypes.create_string_buffer(16)
    assert crypto.RAND_bytes(drawn, 16) == 1
    return drawn.raw.hex()
draw()
warm.ready()
print(draw(), draw())
assert "_ssl" not in sys.modules
"""
# A key that was made before; and one that nobody else may have.
KEYS = """import sys, warm
from cryptography.hazmat.primitives.asymmetric import ec, x25519
def draw():
    key = x25519.X25519PrivateKey.generate().public_key()
    return hex(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value), str(key.public_bytes_raw() if
        hasattr(key, "public_bytes_raw") else key.public_bytes(*raw()))
def raw():
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    return Encoding.Raw, PublicFormat.Raw
draw()
warm.ready()
print(*[word.replace(" ", "_") for word in draw()])
assert "_ssl" not in sys.modules
"""
SSL = """import os, ssl, sys
ssl.RAND_bytes(8)
print("ready", flush=True)
sys.stdin.readline()
print(ssl.RAND_bytes(16).hex(), ssl.RAND_bytes(16).hex(), flush=True)
if os.fork() == 0:      # the clone's children are not the clone
    print(ssl.RAND_bytes(16).hex(), flush=True)
    os._exit(0)
os.wait()
print(os.getpid() == int(os.readlink("/proc/self")), ssl.RAND_bytes(16).hex())
"""
JS = """const crypto = require("crypto");
const { randomUUID } = crypto;
const draw = () => [Math.random(), randomUUID(), crypto.webcrypto.randomUUID(), crypto.randomInt(2 ** 47), crypto.randomBytes(16).toString("hex"), crypto.randomFillSync(Buffer.alloc(16)).toString("hex"),
  crypto.generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "der" }).toString("hex"),
  Buffer.from(crypto.webcrypto.getRandomValues(new Uint8Array(16))).toString("hex")];
draw();
console.log("ready");
process.stdin.once("data", () => {
  console.log(...draw());
  console.log(process.pid === Number(require("fs").readlinkSync("/proc/self")));
  process.exit();
});
"""

# Node has no datagrams: a library says READY=1 for it, and is no module.
SAYS_READY = f"""
try {{ process.dlopen({{ exports: {{}} }}, {json.dumps(os.path.join(BUILD, "tests", "ready.so"))}); }} catch {{}}
"""

# What a program could see of what is loaded before it.
TRACES = """const crypto = require("crypto");
const { Worker } = require("worker_threads");
new Worker("process.stdin; console.log(process.execArgv, process.env.NODE_OPTIONS)", { eval: true }).on("exit", () => {
  console.log("ready");
  console.log(process.env.NODE_OPTIONS, process.execArgv, process._preload_modules, Object.keys(require.cache).length,
    module.children.length, module.parent, [crypto.randomUUID, crypto.randomInt, Math.random].map((f) => [f.name, f.length]),
    crypto.randomUUID().length, typeof crypto.randomInt(5), require("child_process").execFileSync("env").includes("warm-node"));
});
"""


class Random(WarmCase):
    publish_app = False

    def assertAllDiffer(self, results, words):
        """Of what each of these has printed, in words but yes and no, nothing was printed by another."""
        drawn = [[word for word in result.out.split() if word not in ("ready", "True", "true")] for result in results]
        self.assertEqual({len(one) for one in drawn}, {words}, results)
        self.assertEqual(len({word for one in drawn for word in one}), words * len(drawn), drawn)

    def behind_the_hook(self, *argv, words=2):
        first = self.daemon.exec(*argv)
        self.assertEqual(first.code, 0, first)
        make_snapshot(self.daemon, *argv)
        self.assertAllDiffer([first] + self.clones(argv, ()), words)

    def clones(self, argv, options, stdin=None, n=3, **keywords):
        found = []
        for _ in range(n):
            self.daemon.full_pool()
            result = self.assertClone(self.daemon.exec(*argv, options=("--explain", *options), stdin=stdin, **keywords))
            self.assertEqual(result.code, 0, result)
            self.assertNotIn("alse", result.out)
            found.append(result)
        return found

    def first_without_hook(self, argv, options, **keywords):
        """The first run, which waits for a line; and its snapshot, or what is said of it."""
        n = len(self.daemon.ls())
        first = self.daemon.popen(*argv, options=("--explain", *options), stdin=subprocess.PIPE, **keywords)
        self.daemon.published(n + 1)
        return finish(first, "\n")

    def without_hook(self, *argv, words, options=("--ready", "stdout:ready"), **keywords):
        first = self.first_without_hook(argv, options, **keywords)
        self.assertEqual(first.code, 0, first)
        self.assertAllDiffer([first] + self.clones(argv, options, "\n", **keywords), words)


class BehindTheHook(Random):
    def test_library_that_python_knows_nothing_of(self):
        self.behind_the_hook(PYTHON, write(os.path.join(self.daemon.dir, "drawn.py"), CTYPES))

    @unittest.skipUnless(importlib.util.find_spec("cryptography"), "python3-cryptography is not installed")
    def test_private_keys_of_cryptography(self):
        self.behind_the_hook(PYTHON, write(os.path.join(self.daemon.dir, "keys.py"), KEYS))

    def test_library_that_a_c_program_loads(self):
        self.behind_the_hook(os.path.join(BUILD, "tests", "dice_late"))


class WithoutTheHook(Random):
    def test_python(self):
        self.without_hook(PYTHON, write(os.path.join(self.daemon.dir, "ssl_.py"), SSL), words=4)

    @unittest.skipUnless(NODE, "node is not installed")
    def test_node(self):
        self.without_hook(NODE, write(os.path.join(self.daemon.dir, "drawn.js"), JS), words=8)

    @unittest.skipUnless(NODE, "node is not installed")
    def test_node_after_a_while(self):
        self.without_hook(NODE, write(os.path.join(self.daemon.dir, "after.js"), JS), words=8, options=("--ready", "after:0.7"))

    @unittest.skipUnless(NODE, "node is not installed")
    def test_node_that_says_it_is_ready(self):
        """To the NOTIFY_SOCKET that was asked for, and to one in the place of the caller's."""
        script = write(os.path.join(self.daemon.dir, "says.js"), JS + SAYS_READY)
        self.without_hook(NODE, script, words=8, options=("--ready", "sdk"))
        script = write(os.path.join(self.daemon.dir, "notifies.js"), JS + SAYS_READY)
        address = os.path.join(self.daemon.dir, "manager")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(5)
            self.without_hook(NODE, script, words=8, options=(), env={"NOTIFY_SOCKET": address})
            self.assertEqual([manager.recv(100) for _ in range(4)], [b"READY=1"] * 4)     # the original's, and three copies'

    @unittest.skipUnless(NODE, "node is not installed")
    def test_what_is_loaded_into_node_leaves_no_trace(self):
        script = write(os.path.join(self.daemon.dir, "traces.js"), TRACES)
        for env in ({}, {"NODE_OPTIONS": "--no-warnings --stack-trace-limit=7"}):
            cold = self.daemon.exec(NODE, script, options=("--cold",), env=env)
            self.assertEqual(cold.code, 0, cold)
            for how in ("after:99", "stdout:no such text"):
                ready = self.daemon.exec(NODE, script, options=("--ready", how), env=env)
                self.assertEqual((ready.code, ready.out, ready.err), (0, cold.out, cold.err))

    def test_library_of_a_c_program(self):
        self.without_hook(os.path.join(BUILD, "tests", "dice"), "wait", words=2)

    def test_library_that_a_c_program_loads(self):
        self.without_hook(os.path.join(BUILD, "tests", "dice_late"), "wait", words=2)

    def test_openssl_inside_the_program(self):
        self.without_hook(os.path.join(BUILD, "tests", "dice_inside"), "wait", words=2)

    def test_process_that_runs_already(self):
        program = os.path.join(BUILD, "tests", "dice_late")
        argv = [program, "running"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.daemon.env) as running:
            running.stdout.readline()
            self.assertEqual(self.daemon.warm("snapshot", str(running.pid)).code, 0)
            first = finish(running, "\n")
        self.assertEqual((first.code, len(first.out.split())), (0, 2))
        self.assertAllDiffer([first] + self.clones(argv, (), "\n"), 2)


class Hidden(Random):
    """An OpenSSL that nobody can find in its program."""

    def hidden(self):
        program = os.path.join(self.folder("hidden"), "dice")
        subprocess.run(["strip", "-o", program, os.path.join(BUILD, "tests", "dice_inside")], check=True)
        return program

    def test_refused_by_name(self):
        program = self.hidden()
        first = self.daemon.exec(program)
        self.assertEqual((first.code, len(first.out.split())), (0, 2), first)
        again = self.assertCold(self.daemon.exec(program), program, "openssl", "random = keep")
        self.assertRegex(again.reason, refusal(f"{program}: its random numbers (%s) would be the same in each copy: %s"))
        self.assertEqual((again.code, len(again.out.split())), (0, 2))
        self.assertEqual(self.daemon.ls(), [])

    def test_kept_where_that_is_wanted(self):
        program = self.hidden()
        daemon = Daemon(config="[snapshot]\nrandom = keep\n")
        self.addCleanup(daemon.close)
        daemon.start()
        first = daemon.popen(program, "wait", options=("--ready", "stdout:ready"), stdin=subprocess.PIPE)
        daemon.published()
        drawn = [finish(first, "\n").out.split()[1:]]
        clone = self.assertClone(daemon.exec(program, "wait", stdin="\n"))
        self.assertEqual(drawn, [clone.out.split()], "it is the test that draws no equal numbers")
        self.assertEqual(len(drawn[0]), 2)
