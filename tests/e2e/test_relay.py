# SPDX-License-Identifier: MIT
"""--ready stdout:TEXT: what `warm exec` relays in the first run is what the program would have printed itself, and every
signal, stop and end passes as it does in a cold start."""
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time

from case import WarmCase, write
from harness import CLONE_TIERS, WARM, alive, finish, processes, program_behind, wait_for
from terminal import Shell

# What a program does, one word after the other; `seen` holds what only its memory knows.
DOES = """use POSIX; use Time::HiRes 'sleep'; $| = 1; $SIG{TERM} = sub { print "term\\n"; exit 3 };
sub want { my $line = <STDIN>; die "no more input" unless defined $line; $seen .= $line; }
while (@ARGV) {
    $_ = shift;
    if (/^say=(.*)/)      { my $text = $1; $text =~ s/\\\\n/\\n/g; syswrite STDOUT, $text; $seen .= "($text)" }
    elsif (/^bytes=(.*)/) { for (split //, $1) { syswrite STDOUT, $_; sleep 0.003 } }
    elsif (/^err=(.*)/)   { syswrite STDERR, "$1\\n" }
    elsif (/^nap=(.*)/)   { sleep $1 }
    elsif (/^exit=(.*)/)  { exit $1 }
    elsif (/^signal=(.*)/){ kill $1, $$; sleep 1 }
    elsif (/^child=(.*)/) { if (!fork) { syswrite STDOUT, "$1\\n"; sleep 0.5; exit 0 } wait }
    elsif (/^behind=(.*)/){ if (!fork) { sleep 0.8; syswrite STDOUT, "$1\\n"; exit 0 } }
    elsif ($_ eq "close") { POSIX::close(1) }
    elsif ($_ eq "want")  { want() }
    elsif ($_ eq "hold")  { syswrite STDOUT, "holding\\n"; sleep 1 while 1 }
    elsif ($_ eq "flood") { syswrite STDOUT, sprintf("%063d\\n", $_) for 1 .. 65536 }
    elsif ($_ eq "some")  { syswrite STDOUT, "x" x 1000 for 1 .. 60 }
    elsif ($_ eq "fill")  { $SIG{PIPE} = 'DEFAULT'; syswrite STDOUT, "x" x 4096 while 1 }
    elsif ($_ eq "size")  { $SIG{WINCH} = sub { $resized++ }; sleep 0.01 until $resized; print `stty size < /dev/tty` }
    elsif ($_ eq "kind")  { print -t STDOUT ? "tty" : -p STDOUT ? "pipe" : -f STDOUT ? "file" : "other", "\\n" }
    elsif ($_ eq "pids")  { print join(" ", map { $ENV{$_} == $$ ? "mine" : "other" } qw(LISTEN_PID WATCHDOG_PID SYSTEMD_EXEC_PID)), "\\n" }
    elsif ($_ eq "seen")  { print "seen $seen\\n" }
}
"""


class Relay(WarmCase):
    publish_app = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.script = write(os.path.join(cls.daemon.dir, "does.pl"), DOES)

    def launch(self, *words, text="READY", **keywords):
        return self.daemon.exec("perl", self.script, *words, options=("--explain", "--ready", f"stdout:{text}"), **keywords)

    def popen(self, *words, text="READY", **keywords):
        return self.daemon.popen("perl", self.script, *words, options=("--explain", "--ready", f"stdout:{text}"), **keywords)

    def rows(self, word):
        return [row for row in self.daemon.ls() if word in row["command"]]

    def assertFirst(self, result, code, out):
        """A first run that printed what a cold one prints."""
        self.assertCold(result)
        self.assertEqual((result.code, result.out), (code, out), result)

    def assertClones(self, result, code, out):
        self.assertClone(result)
        self.assertEqual((result.code, result.out), (code, out), result)
        self.daemon.full_pool()

    def assertNone(self, word):
        self.assertEqual(self.rows(word), [])


class Text(Relay):
    """When it is found."""

    def goes_on(self, *words, out, code=0, text="READY"):
        """A first run, and a copy that goes on behind the line."""
        def both():
            return self.popen(*words, text=text, stdin=subprocess.PIPE)
        first = both()
        self.daemon.published(command=words[0])
        first = finish(first, "one\n")
        self.assertFirst(first, code, re.sub(r"\\n", "\n", "".join(re.findall(r"(?:say|bytes)=(.*?)(?=\0|$)", "\0".join(words)))) + out("one"))
        self.assertClones(finish(both(), "two\n"), code, out("two"))

    def test_copy_goes_on_behind_it(self):
        self.goes_on("say=READY\\n", "want", "seen", "exit=7", out=lambda word: f"seen (READY\n){word}\n\n", code=7)

    def test_in_any_pieces(self):
        self.goes_on("say=RREARE", "bytes=READ", "nap=0.05", "bytes=Y", "nap=0.01", "say=!\\n", "want", "exit=0", text="READY!",
                     out=lambda word: "")

    def test_begins_within_itself(self):
        self.goes_on("bytes=aabaabaaabaabaab", "want", "seen", text="aabaabaab", out=lambda word: f"seen {word}\n\n")

    def test_twice_is_once(self):
        self.goes_on("say=READY READY\\n", "nap=0.2", "want", "exit=2", code=2, out=lambda word: "")
        self.assertEqual(len(self.rows("say=READY READY\\n")), 1)

    def test_never_printed(self):
        words = ("say=READ\\n", "say=EADY\\n", "nap=0.1", "exit=4")
        for _ in range(2):
            self.assertFirst(self.launch(*words), 4, "READ\nEADY\n")
        self.assertNone(words[0])

    def test_ends_before(self):
        self.assertFirst(self.launch("say=REA", "exit=5"), 5, "REA")
        self.assertNone("say=REA")

    def test_ends_with_it(self):
        for _ in range(3):
            self.assertFirst(self.launch("say=READY at once\\n", "exit=6"), 6, "READY at once\n")
        self.assertNone("say=READY at once\\n")

    def test_printed_by_a_child(self):
        words = ("child=READY", "exit=1")
        self.assertFirst(self.launch(*words), 1, "READY\n")
        self.assertCold(self.launch(*words), "child process")

    def test_two_first_runs_at_once(self):
        words = ("say=two: READY\\n", "want", "exit=0")
        one, two = (self.popen(*words, stdin=subprocess.PIPE) for _ in range(2))
        self.daemon.published(command=words[0])
        results = [finish(launch, "x\n") for launch in (one, two)]
        self.assertEqual([result.out for result in results], ["two: READY\n"] * 2)
        self.assertEqual(sorted("another first launch" in result.reason for result in results), [False, True])
        self.assertEqual(len(self.rows(words[0])), 1)

    def test_need_is_not_met_by_a_first_run(self):
        done = self.daemon.exec("perl", self.script, "say=READY", "say=needed", options=("--require", "--ready", "stdout:READY"))
        self.assertEqual((done.code, done.out), (125, ""))
        self.assertOneLine(done.err, "no snapshot could serve")


class Output(Relay):
    """Where it goes."""

    def test_much_of_it_comes_through_unchanged(self):
        expected = hashlib.sha256("".join(f"{n:063d}\n" for n in range(1, 65537)).encode() + b"end\n").hexdigest()
        for first in ("say=READY\\n", "say=nothing\\n"):
            launch = self.popen(first, "flood", "say=end\\n")
            time.sleep(0.1)  # nobody reads yet
            head = launch.stdout.readline()
            self.assertEqual(head.decode(), first[4:-2] + "\n")
            digest = hashlib.sha256()
            while data := launch.stdout.read1(5000):
                digest.update(data)
            self.assertEqual((finish(launch).code, digest.hexdigest()), (0, expected))

    def test_every_kind_of_it(self):
        for kind, flags in (("file", os.O_WRONLY), ("appended", os.O_WRONLY | os.O_APPEND)):
            path = write(os.path.join(self.daemon.dir, kind), "before\n")
            fd = os.open(path, flags)
            os.lseek(fd, 7, os.SEEK_SET)
            done = self.launch(f"say=to {kind} READY\\n", "flood", "say=end\\n", stdout=fd)
            self.assertEqual((done.code, done.tier), (0, "cold_start"))
            os.write(fd, b"behind\n")
            os.close(fd)
            with open(path, encoding="ascii") as file:
                lines = file.read().split("\n")
            self.assertEqual((lines[:2], len(lines), lines[-3:]), (["before", f"to {kind} READY"], 65536 + 5, ["end", "behind", ""]))
        ours, theirs = socket.socketpair()
        launch = self.popen("say=to a socket READY\\n", "flood", stdout=theirs)
        theirs.close()
        got = b""
        while data := ours.recv(65536):
            got += data
        ours.close()
        self.assertEqual((finish(launch).code, len(got)), (0, len("to a socket READY\n") + 65536 * 64))
        self.assertEqual(self.launch("say=READY for nobody\\n", "flood", stdout=subprocess.DEVNULL).code, 0)

    def test_copy_of_one_kind_gets_the_real_one(self):
        path = os.path.join(self.daemon.dir, "real")
        words = ("say=READY file\\n", "nap=0.3", "kind", "exit=0")
        for expected in ("READY file\npipe\n", "file\n"):
            with open(path, "wb") as out:
                result = self.launch(*words, stdout=out)
            self.assertEqual(result.code, 0)
            with open(path, encoding="ascii") as file:
                self.assertEqual(file.read(), expected, result)
            self.daemon.published(command=words[0])

    def test_errors_that_go_to_the_same_place_keep_their_order(self):
        words = ["say=1\\n", "err=2"] * 50
        done = self.popen(*words, stderr=subprocess.STDOUT)
        out = [line for line in done.communicate(timeout=20)[0].decode().splitlines() if not line.startswith("{")]
        self.assertEqual(out, ["1", "2"] * 50)

    def test_reader_that_leaves(self):
        launch = self.popen("say=READY fill\\n", "fill")
        launch.stdout.read(100000)
        launch.stdout.close()
        self.assertEqual(launch.wait(10), -signal.SIGPIPE)
        launch.stderr.close()
        launch = self.popen("say=READY hold\\n", "nap=0.3", "fill")
        self.assertEqual(launch.stdout.readline(), b"READY hold\n")
        launch.stdout.close()
        self.assertEqual(launch.wait(10), -signal.SIGPIPE)
        launch.stderr.close()

    def test_full_disk_is_said(self):
        with open("/dev/full", "wb") as full:
            launch = self.popen("say=READY full\\n", "nap=0.2", "fill", stdout=full)
            done = finish(launch)
        self.assertEqual(done.code, -signal.SIGPIPE)
        self.assertOneLine(done.err, "standard output", "No space left")

    def test_closed_by_the_program(self):
        launch = self.popen("say=closed\\n", "close", "want", "exit=3", stdin=subprocess.PIPE)
        self.assertEqual(launch.stdout.read(), b"closed\n")  # to its end, and the program lives
        self.assertIsNone(launch.poll())
        self.assertEqual(finish(launch, "x\n").code, 3)

    def test_closed_from_the_start(self):
        done = subprocess.run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", WARM, "exec", "--explain", "--ready", "stdout:x", "--",
                               "/bin/sh", "-c", "test -e /proc/self/fd/1; echo $? >&2"], env=self.daemon.env, check=False,
                              stderr=subprocess.PIPE, text=True)
        self.assertIn("standard output is closed", done.stderr)

    def test_child_that_outlives_it_still_prints(self):
        launch = self.popen("behind=late", "say=READY child\\n", "exit=2")
        began = time.monotonic()
        self.assertEqual(launch.wait(10), 2)
        self.assertLess(time.monotonic() - began, 0.75)
        self.assertEqual(launch.stdout.read(), b"READY child\nlate\n")
        launch.stdout.close()
        launch.stderr.close()

    def test_reader_that_sleeps_holds_up_nobody_at_the_end(self):
        launch = self.popen("some", "exit=9")  # as much as fits into the caller's pipe
        self.assertEqual(launch.wait(10), 9)
        self.assertEqual(len(launch.stdout.read()), 60000)
        launch.stdout.close()
        launch.stderr.close()


class Ends(Relay):
    """Signals, stops, and who is killed."""

    def hold(self, *words, **keywords):
        launch = self.popen(*words, "hold", **keywords)
        self.assertEqual(launch.stdout.readline(), b"holding\n")
        self.addCleanup(lambda: (launch.kill(), launch.communicate()))
        return launch

    def program(self, launch):
        """pid of the program, grandchild of `warm exec`."""
        table = processes()
        supervisor = [pid for pid, (parent, _) in table.items() if parent == launch.pid]
        return [pid for pid, (parent, _) in table.items() if parent in supervisor][0]

    def test_exit_and_death(self):
        self.assertFirst(self.launch("exit=200"), 200, "")
        for sig in (signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM):
            done = self.launch(f"signal={int(sig)}")
            self.assertEqual((done.code, done.out), (3, "term\n") if sig == signal.SIGTERM else (-sig, ""))

    def test_cannot_be_executed(self):
        script = write(os.path.join(self.daemon.dir, "bad"), "#!/no/such/interpreter\n", 0o755)
        done = self.daemon.exec(script, options=("--ready", "stdout:x"))
        self.assertEqual((done.code, done.out), (127, ""))
        self.assertOneLine(done.err, script)
        plain = write(os.path.join(self.daemon.dir, "plain"), "echo $0 $1\n", 0o755)
        self.assertEqual(self.daemon.exec(plain, "x", options=("--ready", "stdout:x")).out, f"{plain} x\n")

    def test_signal_reaches_it(self):
        launch = self.hold()
        launch.send_signal(signal.SIGTERM)
        done = finish(launch)
        self.assertEqual((done.code, done.out), (3, "term\n"))

    def test_signal_to_the_group_reaches_it_once(self):
        launch = self.daemon.popen("perl", "-e", '$| = 1; $SIG{USR1} = sub { $n++ }; print "up\\n"; select undef, undef, undef, 0.1 for 1..8; print "$n\\n"',
                                   options=("--ready", "stdout:never"), start_new_session=True)
        launch.stdout.readline()
        os.killpg(launch.pid, signal.SIGUSR1)
        self.assertEqual(finish(launch).out, "1\n")

    def test_stop_and_continue(self):
        launch = self.hold(process_group=0)  # one that is not orphaned, whoever runs the tests
        program = self.program(launch)
        launch.send_signal(signal.SIGTSTP)
        self.assertTrue(wait_for(lambda: state(program) == "T" and state(launch.pid) == "T", 5))
        launch.send_signal(signal.SIGCONT)
        self.assertTrue(wait_for(lambda: state(program) == "S" and state(launch.pid) == "S", 5))
        launch.terminate()
        self.assertEqual(finish(launch).code, 3)

    def test_killed_warm_exec_ends_the_program(self):
        launch = self.hold()
        program = self.program(launch)
        launch.kill()
        self.assertTrue(wait_for(lambda: not alive(program), 0.5, 0.005))
        launch.wait()

    def test_killed_supervisor_ends_both(self):
        launch = self.hold()
        program = self.program(launch)
        os.kill(processes()[program][0], signal.SIGKILL)
        done = finish(launch)
        self.assertEqual(done.code, 125)
        self.assertOneLine(done.err, "supervisor was killed")
        self.assertTrue(wait_for(lambda: not alive(program), 0.5, 0.005))

    def test_killed_warmd(self):
        for when in ("before", "behind"):
            launch = self.popen("say=READY killed\\n", "want", "say=on\\n", "want", "exit=8", stdin=subprocess.PIPE,
                                text="on" if when == "before" else "READY killed")
            self.assertEqual(launch.stdout.readline(), b"READY killed\n")
            os.kill(self.daemon.warmd_pid(), signal.SIGKILL)
            self.daemon.process.wait(5)
            done = finish(launch, "x\ny\n")
            self.assertEqual((done.code, done.out), (8, "on\n"), when)
            self.daemon.stop()
            self.daemon.start()
        self.assertNone("say=READY killed\\n")

    def test_stopped_warmd(self):
        warmd = self.daemon.warmd_pid()
        launch = self.popen("say=here\\n", "want", "say=READY\\n", "want", "exit=0", stdin=subprocess.PIPE)
        self.assertEqual(launch.stdout.readline(), b"here\n")
        os.kill(warmd, signal.SIGSTOP)
        self.addCleanup(os.kill, warmd, signal.SIGCONT)
        done = finish(launch, "x\ny\n")
        self.assertEqual((done.code, done.out), (0, "READY\n"))

    def test_numbers_of_its_own(self):
        line = 'for name in LISTEN_PID WATCHDOG_PID SYSTEMD_EXEC_PID; do export $name=$$; done; exec "$@"'
        done = subprocess.run(["/bin/sh", "-c", line, "sh", WARM, "exec", "--ready", "stdout:never", "--", "perl", self.script, "pids"],
                              env=self.daemon.env, check=False, stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.stdout, "mine mine mine\n")


class OnTerminal(Relay):
    def setUp(self):
        self.shell = Shell(self.daemon.env, self.daemon.dir)
        self.addCleanup(self.shell.close)
        self.modes = self.shell.run("stty -g").strip()

    def tearDown(self):
        self.assertEqual(self.shell.run("stty -g").strip(), self.modes, "the terminal's modes did not come back")

    def start(self, *words, text="READY", how=""):
        self.shell.type(f"warm exec --ready 'stdout:{text}' perl {self.script} " + " ".join(f"'{word}'" for word in words) + how + "\n")

    def explain(self, *words, text="READY"):
        out = self.shell.run(f"warm exec --explain --ready 'stdout:{text}' perl {self.script} " + " ".join(f"'{word}'" for word in words))
        return json.loads(re.search(r'\{"tier".*?\}\}', out.replace("\n", "")).group(0)), out

    def test_first_run_and_copy(self):
        words = ("kind", "say=READY line\\n", "nap=0.4", "kind", "say=end\\n", "exit=5")
        first, out = self.explain(*words, text="tty\nREADY")
        self.assertEqual(first["tier"], "cold_start")
        self.assertRegex(out, r"(?s)tty\nREADY line\ntty\nend")
        self.assertEqual(self.shell.status(), 5)
        self.daemon.published(command="kind", standbys=False)
        again, out = self.explain(*words, text="tty\nREADY")
        self.assertIn(again["tier"], CLONE_TIERS)
        self.assertNotIn("READY", out)
        self.assertRegex(out, r"tty\nend")
        self.assertEqual(self.shell.status(), 5)

    def test_stopped_before_it_is_ready(self):
        words = ("say=start\\n", "want", "say=READY stopped\\n", "want", "seen")
        self.start(*words)
        self.shell.expect("start")
        for _ in range(2):
            self.shell.type("\x1a")
            self.shell.expect("Stopped")
            self.shell.expect("ready>")
            self.shell.foreground()
        self.shell.type("a\n")
        self.shell.expect("READY stopped")
        self.daemon.published(command=words[0], standbys=False)
        self.shell.type("b\n")
        self.shell.expect(r"seen \(start\s+\)a\s+\(READY stopped\s+\)b\s+ready>")
        self.start(*words)
        self.shell.type("c\n")
        self.shell.expect(r"seen \(start\s+\)a\s+\(READY stopped\s+\)c\s+ready>")

    def test_interrupt(self):
        self.start("hold")
        self.shell.expect("holding")
        self.shell.type("\x03")
        self.shell.expect("ready>")
        self.assertEqual(self.shell.status(), 130)

    def test_window_size(self):
        self.start("say=look\\n", "size")
        self.shell.expect("look")
        time.sleep(0.1)
        self.shell.resize(33, 99)
        self.shell.expect("33 99")
        self.shell.expect("ready>")

    def test_output_into_a_pipe_and_a_file(self):
        self.start("kind", "say=READY\\n", "want", "say=end\\n", how=" | cat")
        self.shell.expect("pipe\\s+READY")
        self.shell.type("\n")
        self.shell.expect("end")
        self.shell.expect("ready>")
        self.start("kind", "say=READY\\n", "say=done\\n", how=" > out.txt; cat out.txt")
        self.shell.expect("pipe\\s+READY\\s+done")
        self.shell.expect("ready>")


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]


if __name__ == "__main__":
    import unittest
    unittest.main()
