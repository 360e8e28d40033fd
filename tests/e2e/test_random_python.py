# SPDX-License-Identifier: MIT
"""Python programs that never call the hook: what was not given a seed draws other numbers in each copy, what was given one keeps to it,
and the original goes on as if nothing had been."""
import json
import os
import socket
import subprocess
import time
import unittest

from case import WarmCase, write
from harness import CLONE_TIERS, PYTHON, Daemon, finish, program_behind, wait_for
from test_ready import free_port

# All is used before, so that what it keeps is in the snapshot; `ahead` of gauss() and normal() too.
PROGRAM = """import json, os, random, socket, sys, tempfile, threading, uuid
from random import random as draw
numpy = None
if "numpy" in sys.argv:
    import numpy
class Sub(random.Random):
    pass
class Old(Sub):
    def __getattribute__(self, name):
        return super().__getattribute__(name)
own, sub, old, seeded, restored = random.Random(), Sub(), Old(), random.Random(5), random.Random()
restored.setstate(random.Random(6).getstate())
anew = random.Random(7)
anew.seed()
if "seed" in sys.argv:
    random.seed(8)
    if numpy:
        numpy.random.seed(8)
if "state" in sys.argv:
    random.setstate(random.Random(9).getstate())
    if numpy:
        numpy.random.set_state(numpy.random.RandomState(9).get_state())
def twin(one):
    other = random.Random()
    other.setstate(one.getstate())
    return other
for one in (random, own, sub, old, seeded, restored, anew):
    one.gauss(0, 1)
if numpy:
    numpy.random.normal()
tempfile.mktemp()
twins = [(one, twin(one)) for one in (random, own, seeded)]
drawn = {}
work, done = threading.Semaphore(0), threading.Semaphore(0)
def other_thread():
    work.acquire()
    drawn["thread"] = anew.random()
    done.release()
threading.Thread(target=other_thread, daemon=True).start()
def wait():
    port = [word for word in sys.argv if word.isdigit()]
    if port:
        with socket.create_server(("127.0.0.1", int(port[0]))) as server:
            server.accept()[0].close()
        return
    if "notify" in sys.argv:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    else:
        print("ready", flush=True)
    sys.stdin.readline()
wait()
work.release()
follows = [one.getstate() == other.getstate() for one, other in twins]
one_state = own.getstate()
child = os.fork()
if child == 0:
    os._exit(own.getstate() == one_state)
follows.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1)
own_numbers = {"own.gauss": own.gauss(0, 1), "own": own.random(), "sub": sub.getrandbits(64), "old": old.random(),
               "anew": anew.gauss(0, 1), "tempfile": tempfile.mktemp(), "uuid": str(uuid.uuid4())}
shared = {"gauss": random.gauss(0, 1), "random": draw(), "bits": random.getrandbits(64), "list": random.sample(range(10 ** 9), 5)}
kept = {"seeded.gauss": seeded.gauss(0, 1), "seeded": seeded.random(), "restored": restored.random()}
if numpy:
    shared.update({"normal": numpy.random.normal(), "numpy": numpy.random.random(), "array": list(numpy.random.random(700)[-2:])})
done.acquire()
own_numbers.update(drawn)
chosen = "seed" in sys.argv or "state" in sys.argv
(kept if chosen else own_numbers).update(shared)
print(json.dumps({"own": own_numbers, "kept": kept, "follows": follows, "clean": "LD_PRELOAD" not in os.environ}), flush=True)
"""
NUMPY = ("numpy",) if subprocess.run([PYTHON, "-c", "import numpy"], stderr=subprocess.DEVNULL, check=False).returncode == 0 else ()

COPIES = 3


class PythonRandom(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = os.path.join(cls.daemon.dir, "dice")
        os.mkdir(folder)
        cls.script = write(os.path.join(folder, "dice.py"), PROGRAM)
        time.sleep(0.03)    # when a process started is known to a clock tick or two: its files have to be older

    def said(self, launch, port=None):
        """What it prints once it was let go on, and its end."""
        if port:
            self.assertTrue(wait_for(lambda: reaches(port), 10))
        result = finish(launch, None if port else "\n")
        self.assertEqual(result.code, 0, repr(result))
        said = json.loads(result.out.splitlines()[-1])
        self.assertTrue(said["clean"], repr(result))
        return result, said

    def originals(self, daemon, words, options, port=None, **keywords):
        """What the first run says, and what three copies do that are launched at once."""
        argv = (PYTHON, self.script, *words, *NUMPY)
        first = daemon.popen(*argv, options=options, stdin=subprocess.PIPE, **keywords)
        daemon.published(command=words[0])
        _, original = self.said(first, port)
        copies = []
        for _ in range(COPIES):
            daemon.full_pool()
            copies.append(daemon.popen(*argv, options=(*options, "--explain"), stdin=subprocess.PIPE, **keywords))
            if port:
                copies[-1] = self.said(copies[-1], port)
        return original, [copy if port else self.said(copy) for copy in copies]

    def check(self, *words, options, chosen=False, **keywords):
        original, copies = self.originals(self.daemon, words, options, **keywords)
        self.assertEqual(original["follows"], [True] * 4, "the original has got other numbers")
        for result, said in copies:
            self.assertIn(result.tier, CLONE_TIERS, repr(result))
            self.assertEqual(said["follows"], [chosen, False, True, True], repr(result))
            self.assertEqual(said["kept"], original["kept"])
        for name in original["own"]:
            numbers = {json.dumps(said["own"][name]) for said in [original] + [said for _, said in copies]}
            self.assertEqual(len(numbers), COPIES + 1, f"{name}: {original} {copies}")
        self.assertEqual("normal" in original["kept" if chosen else "own"], bool(NUMPY))
        return original

    def test_ready_by_what_it_says(self):
        self.check("says", options=("--ready", "stdout:ready"))

    def test_ready_by_its_port(self):
        port = free_port()
        self.check(str(port), options=("--ready", f"listen:{port}"), port=port)

    def test_says_that_it_is_ready(self):
        address = os.path.join(self.daemon.dir, "manager")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            self.check("notify", options=(), env={"NOTIFY_SOCKET": address})

    def test_what_it_has_chosen_is_as_in_a_cold_start(self):
        for how in ("seed", "state"):
            original = self.check(how, options=("--ready", "stdout:ready"), chosen=True)
            cold = self.daemon.popen(PYTHON, self.script, how, *NUMPY, options=("--cold",), stdin=subprocess.PIPE)
            self.assertEqual(self.said(cold)[1]["kept"], original["kept"])

    def test_said_of_a_process_that_runs(self):
        """Of one that nobody has prepared; and not of one that was."""
        for options, kept in (None, True), (("--ready", "after:99"), False):
            argv = (PYTHON, self.script, "running", str(kept), *NUMPY)
            first = self.daemon.popen(*argv, options=options, stdin=subprocess.PIPE) if options else \
                subprocess.Popen(argv, env=self.daemon.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(first.stdout.readline(), b"ready\n")
            taken = self.daemon.warm("snapshot", str(program_behind(first) if options else first.pid))
            self.assertEqual((taken.code, "Python's random" in taken.err), (0, kept), repr(taken))
            _, original = self.said(first)
            self.assertEqual(original["follows"], [True] * 4)

    def test_kept_where_that_is_wanted(self):
        daemon = Daemon(config="[snapshot]\nrandom = keep\n")
        self.addCleanup(daemon.close)
        daemon.start()
        original, copies = self.originals(daemon, ("kept",), ("--ready", "stdout:ready"))
        for name in set(original["own"]) - {"uuid"}:
            self.assertEqual([said["own"][name] for _, said in copies], [original["own"][name]] * COPIES,
                             "it is the test that draws no equal numbers")


def reaches(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
