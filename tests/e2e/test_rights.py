# SPDX-License-Identifier: MIT
"""Nobody gets, by way of a copy, a right that he has not: whoever asks, in whoever's name, and whatever the process has
become meanwhile."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
import unittest

from case import WarmCase, write
from harness import BUILD, PYTHON, WARM, finish, wait_for
from refusals import refusal

BROTHER = os.path.join(BUILD, "tests", "brother")
NOBODY = 65534
AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
RUNNING, COLD_START = 2, 3     # proto/launch.h
KEYCTL, ADD_KEY = 250, 248
JOIN_SESSION_KEYRING, SEARCH, READ = 1, 10, 11
SESSION_KEYRING, USER_KEYRING = -3, -4
READY = "import time\nprint('ready', flush=True)\ntime.sleep(0.3)\n"
LINES = "$| = 1; print qq(ready\\n); while (<STDIN>) { print `id -u; grep -E '^(Groups|Cap|NoNew)' /proc/self/status`; }"
HOOK = """import os, warm
outcome = warm.ready()
print(outcome, os.getresuid(), os.getresgid(), os.getgroups())
"""
# Whether a key can be found from a keyring, and read.
KEYS = """import ctypes, sys
import warm
libc = ctypes.CDLL(None)
def can_read(keyring, name):
    key = libc.syscall(250, 10, keyring, b"user", name, 0)
    return key > 0 and libc.syscall(250, 11, key, None, 0, 0) >= 0
outcome = warm.ready()
print(outcome, can_read(-3, b"warm-test-of-daemon"), can_read(-3, b"warm-test-of-user"))
"""
libc = ctypes.CDLL(None, use_errno=True)


def join_session():
    libc.syscall(KEYCTL, JOIN_SESSION_KEYRING, None, 0, 0, 0)


@unittest.skipIf(os.geteuid(), "only root can be others")
class RightsCase(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.chmod(cls.daemon.socket, 0o666)
        reach = subprocess.run([WARM, "--version"], user=NOBODY, group=NOBODY, check=False, stdout=subprocess.DEVNULL)
        if reach.returncode:
            raise unittest.SkipTest("uid 65534 cannot reach the build directory")
        cls.bin = os.path.join(cls.daemon.dir, "bin")
        os.mkdir(cls.bin)

    def set_uid(self, program):
        """A copy of it that runs as root, whoever starts it."""
        path = shutil.copy(shutil.which(program), os.path.join(self.bin, os.path.basename(program)))
        os.chmod(path, 0o4755)
        return path

    def start(self, *argv, **keywords):
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.daemon.env, **keywords)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def snapshot(self, pid, **keywords):
        """`warm snapshot PID`, as whoever keywords say."""
        process = subprocess.Popen([WARM, "--socket", self.daemon.socket, "snapshot", str(pid)], env=self.daemon.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)
        return finish(process)

    def refused(self, pid, *words, **keywords):
        done = self.snapshot(pid, **keywords)
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertOneLine(done.err, str(pid), *words)

    def lines(self, name, **keywords):
        """A program that answers lines with what it may do; it has a snapshot."""
        argv = ("/usr/bin/perl", "-e", LINES, name)
        process = self.start(*keywords.pop("by", ()), *argv, **keywords)
        done = self.snapshot(process.pid)
        self.assertEqual(done.code, 0, done.err)
        self.daemon.full_pool()
        return argv, process

    def answer(self, process):
        process.stdin.write(b"x\n")
        process.stdin.close()
        process.stdin = None
        return process.communicate()[0].decode()


class Callers(RightsCase):
    """Launches."""

    def connect(self, uid, brother, program):
        """A process that connects as uid, makes a brother with the connection, and executes the program. Its pid."""
        maker = os.fork()
        if maker == 0:
            try:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(uid, uid, uid)
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                sock.connect(self.daemon.socket)
                for sig in (signal.SIGPIPE, signal.SIGXFSZ):    # as it is for the snapshot
                    signal.signal(sig, signal.SIG_DFL)
                if os.fork() == 0:
                    brother(sock)
                os.execv(program, [program, "20"])
            finally:
                os._exit(1)
        self.addCleanup(os.waitpid, maker, 0)
        self.addCleanup(os.kill, maker, signal.SIGKILL)
        return maker

    def test_of_a_connection_whose_maker_has_executed_a_set_uid_program(self):
        """Its brother holds the connection: he is not root by that."""
        argv, _ = self.lines("root's", group=NOBODY, extra_groups=[])
        warmd = self.daemon.warmd_pid()
        self.addCleanup(os.kill, warmd, signal.SIGCONT)
        for uid, sleep, answer in ((0, "/bin/sleep", f"^{RUNNING} "),
                                   (NOBODY, self.set_uid("sleep"), f"^{COLD_START} the caller has the rights of several users")):
            told, tell = os.pipe()

            def brother(sock, tell=tell):
                os.dup2(tell, 1)
                os.set_inheritable(sock.fileno(), True)
                os.execve(BROTHER, [BROTHER, str(sock.fileno()), *argv], self.daemon.env)
            os.kill(warmd, signal.SIGSTOP)      # it looks when all is in place
            maker = self.connect(uid, brother, sleep)
            os.close(tell)
            self.assertTrue(wait_for(lambda maker=maker, sleep=sleep: os.path.samefile(f"/proc/{maker}/exe", sleep), 5))
            os.kill(warmd, signal.SIGCONT)
            with open(told, encoding="ascii") as answers:
                self.assertRegex(answers.read(), answer)

    def test_of_a_set_uid_program(self):
        """It is root for what it does, and its user for what it may be sent: a copy of root's would be root alone."""
        script = write(os.path.join(self.daemon.dir, "hook.py"), HOOK)
        env = self.set_uid("env")
        for who in ({"group": NOBODY, "extra_groups": []}, AS_NOBODY, {"group": NOBODY, "extra_groups": []}):
            words = [WARM, "exec", "--explain", PYTHON, script]
            process = subprocess.Popen([env, *words] if who is AS_NOBODY else words, env=self.daemon.env, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, **who)
            result = finish(process)
            if who is AS_NOBODY:
                self.assertCold(result, "rights of several users")
                self.assertEqual(result.out, f"cold ({NOBODY}, 0, 0) ({NOBODY}, {NOBODY}, {NOBODY}) []\n")
            self.daemon.published(1, command=script)
        self.assertClone(result)
        self.assertIn("restored (0, 0, 0)", result.out)

    def test_with_other_rights_than_the_snapshots(self):
        """Every set of capabilities, no_new_privs, groups: equal, or cold."""
        base = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        argv, process = self.lines("rights", by=("setpriv", *base))

        def launch(*options):
            options = ("setpriv", *(options or base), WARM, "exec", "--explain", "--require", "--", *argv)
            return finish(subprocess.Popen(options, env=self.daemon.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE), "x\n")
        copy = self.assertClone(launch())
        self.assertEqual(copy.out, self.answer(process))
        for words, options in (
                ("no_new_privs", (*base, "--no-new-privs")),
                ("bounding", (*base, "--bounding-set", "-net_raw")),
                ("inheritable", (*base, "--inh-caps", "+net_raw")),
                ("capabilities", (*base, "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw")),
                ("groups", (*base[:-1], "--groups", "5")),
                ("the group is", (*base[:3], "5", "--clear-groups"))):
            self.daemon.full_pool()
            result = launch(*options)
            self.assertEqual((result.code, result.out), (125, ""), options)
            self.assertOneLine(result.err, words)

    def test_daemons_keys_are_not_the_copies(self):
        """The daemon was started in a session with keys of root's. A copy has its user's."""
        if libc.syscall(KEYCTL, 0, USER_KEYRING, 0, 0, 0) < 0 and ctypes.get_errno() == 38:
            self.skipTest("this kernel has no keyrings")
        join_session()      # which is also that of the tests which come
        libc.syscall(ADD_KEY, b"user", b"warm-test-of-daemon", b"secret", 6, SESSION_KEYRING)
        self.daemon.stop()
        self.daemon.start()
        os.chmod(self.daemon.socket, 0o666)
        script = write(os.path.join(self.daemon.dir, "keys.py"), KEYS)
        for who in ({}, AS_NOBODY):
            def launch():
                # As at a login: a new session, the user's keyring in it, a key in that.
                source = ("import ctypes, os, sys; call = ctypes.CDLL(None).syscall; call(250, 1, None, 0, 0, 0); "
                          "call(250, 8, -4, -3, 0, 0); key = call(248, b'user', b'warm-test-of-user', b'x', 1, -4); "
                          "call(250, 15, key, 60, 0, 0); "  # KEYCTL_SET_TIMEOUT
                          "os.execv(sys.argv[1], sys.argv[1:])")
                return finish(subprocess.Popen([PYTHON, "-c", source, WARM, "exec", "--explain", PYTHON, script], env=self.daemon.env,
                                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **who))
            self.assertEqual(self.assertCold(launch()).out, "resumed False True\n")
            self.daemon.published(2 if who else 1, command=script)
            self.assertEqual(self.assertClone(launch()).out, "restored False True\n")


class KeptOut(RightsCase):
    """Who may no longer go where the program read its files gets no copy that has read them."""

    def test_of_a_directory_above(self):
        place = os.path.join(self.daemon.dir, "above", "of", "it")
        os.makedirs(place)
        script = write(os.path.join(place, "main.py"), READY + "print('ran')\n")

        def launch(**who):
            return self.daemon.exec(PYTHON, script, options=("--explain", "--ready", "stdout:ready"), **who)
        for who, served in ((AS_NOBODY, False), ({}, True)):
            for above in ("above/of/it", "above"):
                with self.subTest(who=who, above=above):
                    launch(**who)
                    self.daemon.published(1, command=script)
                    self.assertEqual(self.assertClone(launch(**who)).out, "ran\n")
                    self.daemon.stop() # what it has noted outlives it
                    os.chmod(os.path.join(self.daemon.dir, above), 0o700)
                    self.daemon.start()
                    os.chmod(self.daemon.socket, 0o666)
                    done = launch(**who)
                    if served:
                        self.assertEqual(self.assertClone(done).out, "ran\n")
                    else:
                        self.assertCold(done, above + " has other permissions")
                        self.assertIn("Permission denied", done.err)
                    os.chmod(os.path.join(self.daemon.dir, above), 0o755)
                    self.daemon.warm("rm", *[row["id"] for row in self.daemon.ls()])

    def test_of_one_while_the_daemon_runs(self):
        place = os.path.join(self.daemon.dir, "watched")
        os.makedirs(place)
        script = write(os.path.join(place, "main.py"), READY)
        argv, options = (PYTHON, script), ("--explain", "--ready", "stdout:ready")
        self.daemon.exec(*argv, options=options, **AS_NOBODY)
        self.daemon.published(1, command=script)
        self.assertClone(self.daemon.exec(*argv, options=options, **AS_NOBODY))
        write(os.path.join(place, "other"), "")  # names that come and go are nothing to it
        self.daemon.full_pool()
        self.assertClone(self.daemon.exec(*argv, options=options, **AS_NOBODY))
        os.chown(place, 1, 1)
        os.chmod(place, 0o700)
        self.assertCold(self.daemon.exec(*argv, options=options, **AS_NOBODY), place + " has other permissions")


class Became(RightsCase):
    """First runs, and processes that are asked for, that have become more than their user is."""

    def first_run(self, command):
        """Ready when it says so; what the next launch is told of its snapshot."""
        argv = ("/bin/sh", "-c", f"exec {command}")
        self.assertEqual(self.daemon.exec(*argv, options=("--explain", "--ready", "stdout:ready"), **AS_NOBODY).code, 0)
        return self.assertCold(self.daemon.exec(*argv, **AS_NOBODY)).reason

    def test_supplementary_groups(self):
        """By a program that may give them: its user's ids are what they were."""
        setpriv = self.set_uid("setpriv")
        ids = f"--reuid {NOBODY} --regid {NOBODY}"
        waits = "perl -e '$| = 1; print qq(ready\\n); select undef, undef, undef, 0.5'"
        self.assertRegex(self.first_run(f"{setpriv} {ids} --groups 42 {waits}"),
                         refusal("process %d has other supplementary groups than it was launched with"))
        self.assertRegex(self.first_run(f"{setpriv} {ids} --inh-caps +net_raw --ambient-caps +net_raw --clear-groups {waits}"),
                         refusal("process %d has capabilities that it was not launched with"))
        self.assertRegex(self.first_run(f"{setpriv} {ids} --securebits +no_setuid_fixup --clear-groups {waits}"),
                         refusal("process %d has securebits (%#lx), which its user's next launch may not have"))

    def test_set_uid_program_that_is_its_users_again(self):
        """What it has seen as root is not for copies."""
        python = self.set_uid(PYTHON)
        source = f"import os, time; os.setresuid({NOBODY}, {NOBODY}, {NOBODY}); print('ready', flush=True); time.sleep(0.5)"
        self.assertRegex(self.first_run(f'{python} -c "{source}"'),
                         refusal("process %d has executed a program that has more rights than its user (set-uid, set-gid, file capabilities)"))
        process = self.start(python, "-c", source.replace("0.5", "60"), **AS_NOBODY)
        self.refused(process.pid, "not yours", **AS_NOBODY)
        self.refused(process.pid, "set-uid")
        self.assertIsNone(process.poll())

    def test_set_uid_program_that_still_is_root(self):
        python, setpriv = self.set_uid(PYTHON), self.set_uid("setpriv")
        wait = "import time; print('ready', flush=True); time.sleep(60)"
        process = self.start(python, "-c", wait, **AS_NOBODY)
        self.refused(process.pid, "not yours", **AS_NOBODY)
        self.refused(process.pid, refusal("process %d has the rights of several users or groups (set-uid, set-gid)"))
        behind = self.start(setpriv, "--euid", "0", PYTHON, "-c", wait, **AS_NOBODY)
        self.refused(behind.pid, "not yours", **AS_NOBODY)
        self.refused(behind.pid, "rights of several users")
        whole = self.start(setpriv, "--reuid", "0", "--regid", "0", "--clear-groups", PYTHON, "-c", wait, **AS_NOBODY)
        self.refused(whole.pid, "not yours", **AS_NOBODY)
        for each in (process, behind, whole):
            self.assertIsNone(each.poll())

    def test_capabilities_of_ones_own_uid(self):
        """Its user's, and more than its user: as ptrace(2) has it."""
        ids = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        process = self.start("setpriv", *ids, "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw", "/usr/bin/perl", "-e", LINES)
        self.refused(process.pid, "not yours", **AS_NOBODY)
        self.assertIn("CapEff:\t0000000000002000", self.answer(process))

    def test_asked_for_by_root_it_is_its_users(self):
        argv, process = self.lines("theirs", **AS_NOBODY)
        result = self.daemon.exec(*argv, stdin="x\n", **AS_NOBODY)
        self.assertEqual(self.assertClone(result).out, self.answer(process))
        self.assertTrue(result.out.startswith(f"{NOBODY}\n"))
        self.assertCold(self.daemon.exec(*argv, stdin="x\n"), "no snapshot")
