# SPDX-License-Identifier: MIT
"""A refusal leaves the program as it was (tests/untouched.py): what can be wrong with a process as a whole, with what it
was started with, and with where it lives. What a program may have: the victims and test_refused_objects.py."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import harness
import untouched
from refusals import refusal
from snap import FAILED, Snap, state
from untouched import launch_options, text_of

WAITS = 'os.write(1, b"up\\n"); sys.stdin.readline(); os.write(1, b"on\\n")\n'
NO_EXECUTABLE = refusal("process %d has no executable: its main thread has ended or is executing a program, or it is the kernel's")
CLONE_FS, CLONE_FILES = 0x200, 0x400


class Program(unittest.TestCase):
    def program(self, source=WAITS, before=(), **keywords):
        """Python that says "up" when it is what it is to be, and "on" when it was told a line."""
        program = subprocess.Popen([*before, harness.PYTHON, "-c", "import ctypes, fcntl, os, signal, socket, sys\n" + source],
                                   **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **keywords})
        for cleanup in (program.stdout.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        if program.stdin:
            self.addCleanup(program.stdin.close)
        self.assertEqual(program.stdout.readline(), b"up\n")
        untouched.settle(program.pid)
        return program

    def goes_on(self, program):
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), b"on\n")


class Whole(Program):
    def test_traced(self):
        program = self.program()
        strace = subprocess.Popen(["strace", "-f", "-o", os.devnull, "-p", str(program.pid)], stderr=subprocess.DEVNULL)
        self.addCleanup(strace.wait)
        self.addCleanup(strace.terminate)
        self.assertTrue(harness.wait_for(lambda: "TracerPid:\t0\n" not in text_of(f"/proc/{program.pid}/status"), 10))
        untouched.settle(program.pid)
        untouched.refused(program.pid, refusal(f"thread {program.pid} is being traced already, by process {strace.pid}"))
        self.goes_on(program)

    def test_shares_memory_with_its_parent(self):
        program = self.program("""if True:
            import mmap, signal
            memory = mmap.mmap(-1, 8192)
            memory[5000] = 7
            child = os.fork()
            if child:
                os.write(1, b"up\\n%d\\n" % child)
                sys.stdin.readline()
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                os.write(1, b"on\\n")
            else:
                signal.pause()
            """)
        child = int(program.stdout.readline())
        untouched.settle(child)
        untouched.refused(child, refusal(f"process {child} shares anonymous memory with process {program.pid}"))
        self.goes_on(program)

    def child_that_shares(self, flags, words):
        program = self.program(f"""if True:
            child = ctypes.CDLL(None).syscall(56, {flags | signal.SIGCHLD}, 0, 0, 0, 0)
            if child == 0:
                signal.pause()
            os.write(1, b"up\\n%d\\n" % child)
            sys.stdin.readline()
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.write(1, b"on\\n")
            """)
        child = int(program.stdout.readline())
        untouched.settle(child)
        untouched.refused(child, words)
        self.goes_on(program)

    def test_shares_descriptors_with_its_parent(self):
        self.child_that_shares(CLONE_FILES, refusal("process %d shares its descriptors with its parent, process %d"))

    def test_shares_the_directory_with_its_parent(self):
        self.child_that_shares(CLONE_FS, refusal("process %d shares its working directory with its parent, process %d"))

    def test_dispatches_its_system_calls(self):
        program = self.program("""
libc = ctypes.CDLL(None)
off = ctypes.c_char(0)
if libc.prctl(59, 1, 0, 0, ctypes.byref(off)):      # PR_SET_SYSCALL_USER_DISPATCH, the selector says: let it pass
    os.write(1, b"up\\n"); sys.exit("no such call here")
""" + WAITS)
        untouched.refused(program.pid, refusal("thread %d dispatches its system calls"))
        self.goes_on(program)

    def ends_its_main_thread(self, words, *more, now):
        """Of such a process /proc does not even tell which descriptors it has."""
        program = self.program("""if True:
            import threading
            def end(*_):
                ctypes.CDLL(None).syscall(60, 0)
            def stay():
                sys.stdin.readline(); os.write(1, b"on\\n"); os._exit(0)
            signal.signal(signal.SIGUSR1, end)
            threading.Thread(target=stay).start()
            os.write(1, b"up\\n")
            while True:
                signal.pause()
            """)
        if now:
            os.kill(program.pid, signal.SIGUSR1)
            self.assertTrue(harness.wait_for(lambda: state(program.pid) == "Z", 5))
        (kind, _, said), = Snap(program.pid, *more).reports()
        self.assertEqual(kind, FAILED)
        self.assertRegex(said, words)
        self.assertEqual(state(program.pid), "Z")
        self.goes_on(program)

    def test_main_thread_has_ended(self):
        self.ends_its_main_thread(NO_EXECUTABLE, now=True)

    def test_main_thread_ends_meanwhile(self):
        """A plugin that is asked what it thinks of the process sees to it (tests/plugins/naughty.c)."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(os.path.join(harness.BUILD, "tests", "plugins", "meddle.so"), folder)
            self.ends_its_main_thread(refusal("process %d: its main thread has ended"), "--plugins", folder, now=False)

    def test_makes_children_by_vfork(self):
        program = self.program("""
import subprocess
os.write(1, b"up\\n")
sys.stdin.readline()
bad = sum(subprocess.run(["/bin/true"]).returncode for _ in range(150))    # Python uses vfork
os.write(1, b"on\\n" if bad == 0 else b"a child failed\\n")
""")
        program.stdin.write(b"\n")
        program.stdin.flush()
        for _ in range(20):
            Snap(program.pid).reports()     # taken or refused
        self.assertEqual(program.stdout.readline(), b"on\n")

    def test_no_such_process(self):
        gone = subprocess.Popen(["/bin/true"])
        gone.wait()
        (kind, _, text), = Snap(gone.pid).reports()
        self.assertEqual(kind, FAILED)
        self.assertEqual(text, "it ended before its snapshot was taken")

    def test_stopped(self):
        program = self.program()
        os.kill(program.pid, signal.SIGSTOP)
        self.assertTrue(harness.wait_for(lambda: state(program.pid) == "T", 5))
        untouched.refused(program.pid, refusal(f"thread {program.pid} is stopped by a signal"))
        os.kill(program.pid, signal.SIGCONT)
        self.goes_on(program)

    def test_has_more_rights_than_its_launch_had(self):
        program = self.program()
        if "CapPrm:\t0000000000000000\n" in text_of(f"/proc/{program.pid}/status"):
            self.skipTest("we have no capabilities ourselves")
        owner = f"{os.getuid()}:{os.getgid()}:0:-"
        untouched.refused(program.pid, refusal(f"process {program.pid} has capabilities that it was not launched with"), "--owner", owner)
        self.goes_on(program)

    def test_is_not_on_a_network_of_its_own(self):
        program = self.program()
        words = refusal(f"process {program.pid} was launched with --net private, and is on the daemon's network")
        untouched.refused(program.pid, words, "--net-private")
        self.goes_on(program)

    def test_is_the_kernels(self):
        if os.path.exists("/proc/2/exe") or state(2) not in "SI":
            self.skipTest("process 2 is no thread of the kernel here")
        (kind, _, said), = Snap(2).reports()
        self.assertEqual(kind, FAILED)
        self.assertRegex(said, NO_EXECUTABLE)


class Started(Program):
    """With descriptors that are its launch's, or another process's."""

    def test_pipe_to_another_process(self):
        ends = os.pipe()
        self.addCleanup(os.close, ends[1])
        program = self.program(pass_fds=[ends[0]])
        os.close(ends[0])
        untouched.refused(program.pid, refusal("fd %d: a pipe whose write end is in another process"))
        self.goes_on(program)

    def test_socket_to_another_process(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        program = self.program(pass_fds=[theirs.fileno()])
        theirs.close()
        untouched.refused(program.pid, refusal("fd %d: unix socket connected to another process"))
        self.goes_on(program)

    def launched(self, source, file):
        """(the program, started with `file` under its number, and what warm-snap is told of that)"""
        with open(os.devnull, "wb") as null:
            program = self.program(source.format(fd=file.fileno()) + WAITS, pass_fds=[file.fileno()], stderr=null)
            return program, launch_options({0: program.stdin.fileno(), 1: program.stdout.fileno(), 2: null.fileno(),
                                            file.fileno(): file.fileno()})

    def test_duplicate_of_the_launchs(self):
        with tempfile.TemporaryFile() as file:
            program, options = self.launched("other = os.dup({fd})\n", file)
            words = refusal(f"fd %d: a duplicate of fd {file.fileno()}, which the program was started with")
            untouched.refused(program.pid, words, *options)
            self.goes_on(program)

    def test_record_lock_on_the_launchs(self):
        with tempfile.TemporaryFile() as file:
            program, options = self.launched("fcntl.lockf({fd}, fcntl.LOCK_EX)\n", file)
            words = refusal(f"fd {file.fileno()}: a record lock on %s, which the program was started with")
            untouched.refused(program.pid, words, *options)
            self.goes_on(program)

    def test_socket_of_the_launch_under_a_high_number(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            program, options = self.launched("os.dup2({fd}, 950)\n", server)
            words = refusal(f"fd 950: the socket that the program was started with as fd {server.fileno()}, and a number above %d")
            untouched.refused(program.pid, words, *options)
            self.goes_on(program)

    @unittest.skipIf(os.geteuid(), "only root can mount")
    def test_file_that_another_lies_over(self):
        """The name of what it has open is another file's, and that it is not deleted."""
        with tempfile.NamedTemporaryFile() as over, tempfile.NamedTemporaryFile() as file:
            program = self.program(f"file = open({file.name!r})\n" + WAITS)
            subprocess.run(["mount", "--bind", over.name, file.name], check=True)
            try:
                untouched.refused(program.pid, refusal(f"{file.name} was replaced after the program opened it"))
            finally:
                subprocess.run(["umount", file.name], check=True)
            self.goes_on(program)

    @unittest.skipIf(os.geteuid(), "only root can mount")
    def test_file_about_itself_of_a_proc_that_lies_elsewhere(self):
        """A clone has a /proc of its own in one place only."""
        with tempfile.TemporaryDirectory() as place:
            subprocess.run(["mount", "--bind", "/proc", place], check=True)
            try:
                for how in ("os.O_RDONLY", "os.O_PATH"):
                    program = self.program(f"file = os.open('{place}/self/stat', {how})\n" + WAITS)
                    untouched.refused(program.pid, refusal(f"fd %d: {place}/{program.pid}/stat, which is about one process"))
                    self.goes_on(program)
            finally:
                subprocess.run(["umount", "-l", place], check=True)


@unittest.skipIf(os.geteuid(), "only root can make namespaces")
class Elsewhere(Program):
    """In other namespaces than warm-snap."""

    def other(self, option, words, forks=False):
        program = self.program(before=["unshare", option, *(["--fork"] if forks else [])])
        children = text_of(f"/proc/{program.pid}/task/{program.pid}/children").split()
        pid = int(children[0]) if forks else program.pid
        if forks:
            self.addCleanup(harness.kill_quietly, pid)
            untouched.settle(pid)
        untouched.refused(pid, words)
        self.goes_on(program)

    def test_mounts(self):
        self.other("--mount", refusal("process %d is in another mnt namespace than the daemon"))

    def test_network(self):
        self.other("--net", refusal("process %d is in another net namespace than the daemon"))

    def test_ipc(self):
        self.other("--ipc", refusal("process %d is in another ipc namespace than the daemon"))

    def test_names(self):
        self.other("--uts", refusal("process %d is in another uts namespace than the daemon"))

    def test_users(self):
        self.other("--user", refusal("process %d is in another user namespace than the daemon"))

    def test_control_groups(self):
        self.other("--cgroup", refusal("process %d is in another cgroup namespace than the daemon"))

    def test_time(self):
        self.other("--time", refusal("process %d is in another time namespace than the daemon"), forks=True)

    def test_first_of_its_pids(self):
        self.other("--pid", refusal("process %d is the first of its pid namespace: in a copy a supervisor is that"), forks=True)
