# SPDX-License-Identifier: MIT
"""Bad input and faults: one clear line, the program starts cold, the daemon lives on, nothing published is lost."""
import glob
import os
import random
import shutil
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time

from case import WarmCase, make_snapshot, write
from harness import APP, CLONE_TIERS, WARM, Daemon, base_env, can_connect, finish, wait_for

RPC_MAGIC = 0x504D5257
LAUNCH_MAGIC = 0x584D5257
LAUNCH_VERSION = 2


def image_files(root):
    """What is large below the root and no database: the images."""
    found = [path for path in glob.glob(os.path.join(root, "**"), recursive=True) if os.path.isfile(path)]
    return [path for path in found if os.path.getsize(path) > 4096 and not _is_database(path)]


def databases(root):
    found = [path for path in glob.glob(os.path.join(root, "**"), recursive=True) if os.path.isfile(path)]
    return [path for path in found if _is_database(path)]


def _is_database(path):
    with open(path, "rb") as file:
        return file.read(15) == b"SQLite format 3" or path.endswith(("-wal", "-shm"))


class Images(WarmCase):
    """A daemon that starts on a damaged cache."""
    publish_app = False

    def restart_on(self, damage):
        """A fresh snapshot, the daemon stopped, damage(path of the image), the daemon started again."""
        for row in self.daemon.ls():
            self.daemon.warm("rm", row["id"])
        make_snapshot(self.daemon)
        self.daemon.stop()
        images = image_files(self.daemon.root)
        self.assertEqual(len(images), 1, images)
        damage(images[0])
        self.daemon.start()
        return images[0]

    def check_cold_with_reason(self, image):
        """Cold; the first launch and the list of snapshots say which image, and what to do; the daemon lives."""
        result = self.app("outcome", "exit", "3")
        self.assertEqual(result.code, 3, repr(result))
        self.assertEqual(result.tier, "cold_start", repr(result))
        damaged = os.path.basename(image).split(".")[0]
        said = f"image {damaged}: .*`warm rm` it"
        self.assertRegex(result.reason, said)
        row = [row for row in self.daemon.ls() if row["id"] == damaged][0]
        self.assertEqual(row["state"], "quarantined")
        self.assertRegex(row["reason"], said)
        self.assertRegex(self.daemon.log(), said)
        again = self.app("outcome", "exit", "3")  # a clone, where the cold start before has been snapshotted by now
        self.assertEqual(again.code, 3, repr(again))
        self.assertTrue(again.tier == "cold_start" or again.explained["snapshot"] != damaged, repr(again))
        self.assertEqual(self.daemon.warm("rm", damaged).code, 0)
        make_snapshot(self.daemon)  # and all is well again

    def test_truncated(self):
        for share in (0.0, 0.1, 0.5, 0.99):
            with self.subTest(share=share):
                self.check_cold_with_reason(self.restart_on(
                    lambda path, share=share: os.truncate(path, int(os.path.getsize(path) * share))))

    def test_flipped_bits(self):
        dice = random.Random(3)
        for _ in range(6):
            def flip(path):
                where = dice.randrange(os.path.getsize(path))
                with open(path, "r+b") as file:
                    file.seek(where)
                    byte = file.read(1)[0]
                    file.seek(where)
                    file.write(bytes([byte ^ (1 << dice.randrange(8))]))
            self.restart_on(flip)
            for _ in range(3):  # padding may be hit: then it must simply be right
                result = self.app("args", "exit", "3")
                self.assertEqual((result.code, result.out), (3, f"{APP}|args|exit|3\n"), repr(result))

    def test_replaced_by_garbage(self):
        self.check_cold_with_reason(self.restart_on(lambda path: write(path, "not an image\n" * 5000)))

    def test_missing(self):
        image = os.path.basename(self.restart_on(os.unlink)).split(".")[0]
        result = self.assertCold(self.app("outcome", "exit", "3"), f"image {image} is gone")
        self.assertEqual(result.code, 3)
        self.assertNotIn(image, [row["id"] for row in self.daemon.ls()])
        make_snapshot(self.daemon)

    def test_verify_names_it(self):
        self.restart_on(lambda path: os.truncate(path, os.path.getsize(path) - 5000))
        result = self.daemon.warm("verify")
        self.assertEqual(result.code, 1, repr(result))
        self.assertOneLine(result.err, "warm rm")

    def test_other_snapshots_survive(self):
        other = os.path.join(self.daemon.dir, "other-app")
        shutil.copy(APP, other)
        make_snapshot(self.daemon, other, "outcome")
        doomed = make_snapshot(self.daemon)["id"]
        self.daemon.stop()
        victim = [path for path in image_files(self.daemon.root) if doomed in path]
        self.assertEqual(len(victim), 1)
        os.truncate(victim[0], 6000)
        self.daemon.start()
        self.assertIn(self.app("outcome").out, ("cold\n", "resumed\n"))
        self.assertTrue(wait_for(lambda: self.daemon.exec(other, "outcome").tier in CLONE_TIERS, 5))


class Catalog(WarmCase):
    """The catalog is only an index of the images: one that cannot be read is set aside and made anew from them."""

    def catalog(self):
        self.daemon.stop()
        found = [p for p in databases(self.daemon.root) if not p.endswith(("-wal", "-shm")) and ".db." not in os.path.basename(p)]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def assertServesAgain(self, *words):
        """The same snapshot, without a new one being taken."""
        said = len(self.daemon.log())
        self.daemon.start()
        rows = self.daemon.published(standbys=False)
        self.assertEqual([row["id"] for row in rows], [self.snapshot["id"]])
        for _ in range(2):
            self.assertEqual(self.assertClone(self.app("outcome")).explained["snapshot"], self.snapshot["id"])
        for word in words:
            self.assertIn(word, self.daemon.log()[said:])

    def test_unknown_version(self):
        path = self.catalog()
        with sqlite3.connect(path) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute(f"PRAGMA user_version = {version + 1000}")
        db.close()
        self.assertServesAgain(f"has version {version + 1000}", "set aside", "1 snapshot was filed again")
        with sqlite3.connect(f"{path}.version-{version + 1000}") as db:  # whose it is finds it as it was
            self.assertEqual(db.execute("PRAGMA user_version").fetchone()[0], version + 1000)
            self.assertEqual(db.execute("SELECT count(*) FROM snapshot").fetchone()[0], 1)
        db.close()

    def test_garbage(self):
        path = self.catalog()
        for other in databases(self.daemon.root):
            if other.endswith(("-wal", "-shm")):
                os.unlink(other)
        write(path, "no database at all\n" * 1000)
        self.assertServesAgain("is damaged", "set aside", "1 snapshot was filed again")
        with open(f"{path}.damaged", encoding="utf-8") as aside:
            self.assertTrue(aside.read().startswith("no database at all"))

    def test_gone_is_rebuilt(self):
        self.daemon.stop()
        for path in databases(self.daemon.root):
            os.unlink(path)
        self.assertServesAgain("1 snapshot was filed again")


class Places(WarmCase):
    publish_app = False

    def test_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a tmpfs")
        root = tempfile.mkdtemp(prefix="warm-small-")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "small", root], check=False).returncode:
            os.rmdir(root)
            self.skipTest("tmpfs cannot be mounted here")
        daemon = Daemon(root=os.path.join(root, "cache"))
        try:
            try:
                daemon.start()
            except RuntimeError as error:
                self.assertRegex(str(error).lower(), "space|full")
                return
            filler = os.path.join(root, "filler")
            fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(fd, b"x" * 4096):
                    pass
            except OSError:
                os.close(fd)
            for _ in range(3):
                result = daemon.exec(APP, "exit", "3")
                self.assertEqual((result.code, result.tier), (3, "cold_start"), repr(result))
                time.sleep(0.3)
            said = (daemon.exec(APP, "outcome").reason or "") + daemon.warm("--json", "stats").out + daemon.log()
            self.assertRegex(said.lower(), "space|full")
            self.assertTrue(can_connect(daemon.socket))
            os.unlink(filler)
        finally:
            daemon.close()
            subprocess.run(["umount", "-l", root], check=False)
            os.rmdir(root)

    def test_root_that_cannot_be_made(self):
        daemon = Daemon(root="/proc/no-such-place/root")
        with self.assertRaises(RuntimeError) as caught:
            daemon.start()
        self.assertIn("/proc/no-such-place", str(caught.exception))
        daemon.process = None
        self.assertEqual(daemon.exec(APP, "exit", "3").code, 3)
        daemon.close()

    def test_no_permission_on_the_socket(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        os.chmod(self.daemon.socket, 0o600)
        probe = subprocess.run(["/bin/true"], user=65534, group=65534, check=False)
        self.assertEqual(probe.returncode, 0)
        try:
            done = subprocess.run([WARM, "exec", "--", "/bin/echo", "ran"], env=self.daemon.env, user=65534, group=65534,
                                  extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        except PermissionError:
            self.skipTest("uid 65534 cannot reach the build directory")
        finally:
            os.chmod(self.daemon.socket, 0o666)
        self.assertEqual((done.returncode, done.stdout), (0, "ran\n"), done.stderr)

    def test_second_daemon_on_the_same_place(self):
        done = subprocess.run([os.path.join(os.path.dirname(WARM), "warmd"), "--root", self.daemon.root, "--socket", self.daemon.socket,
                               "--foreground"], env=base_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10,
                              check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(can_connect(self.daemon.socket))
        self.assertEqual(self.daemon.warm("ls").code, 0)


class Messages(WarmCase):
    """What arrives on the socket from somebody who does not speak the protocol, or stops in the middle."""

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(self.daemon.socket)
        client.settimeout(0.2)
        return client

    def still_serves(self):
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log()[-2000:])
        self.assertEqual(self.daemon.warm("--json", "ls").code, 0)
        self.daemon.full_pool()
        self.assertClone(self.app("outcome"))

    def say(self, *datagrams, fds=()):
        with self.connect() as client:
            for datagram in datagrams:
                try:
                    socket.send_fds(client, [datagram], list(fds)) if fds else client.send(datagram)
                    client.recv(65536)
                except OSError:
                    pass

    def test_garbage(self):
        dice = random.Random(1)
        for size in (1, 3, 4, 5, 16, 100, 4096, 65536, 131072):
            self.say(dice.randbytes(size))
            self.say(struct.pack("<I", RPC_MAGIC) + dice.randbytes(size))
            self.say(struct.pack("<IHHI", LAUNCH_MAGIC, LAUNCH_VERSION, 3, size + 12) + dice.randbytes(size))
        self.still_serves()

    def test_oversized(self):
        with self.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
            try:
                client.send(struct.pack("<I", RPC_MAGIC) + b"\x0a" * 500000)
                client.recv(100)
            except OSError:
                pass
        huge = self.daemon.exec(APP, "args", "x" * 120000, "exit", "3", env={"APP_LONG": "y" * 100000})
        self.assertEqual(huge.code, 3, huge.err[-300:])
        self.still_serves()

    def test_mutated_launch_requests(self):
        """Real requests with bytes changed, lengths lied about, descriptors missing or too many."""
        dice = random.Random(5)
        real = self.recorded_launch()
        null = os.open("/dev/null", os.O_RDWR)
        for _ in range(300):
            data = bytearray(real)
            for _ in range(dice.choice((1, 1, 2, 8))):
                data[dice.randrange(min(len(data), dice.choice((48, 320, len(data)))))] = dice.randrange(256)
            if dice.random() < 0.3:
                data = data[:dice.randrange(len(data))]
            with self.connect() as client:
                client.settimeout(0.02)
                try:
                    own = [null, null, self.carrier([null] * dice.choice((0, 1, 3, 3, 3, 20, 100))), null]
                    own = own[:dice.choice((0, 1, 2, 3, 3, 3, 3, 4))]
                    socket.send_fds(client, [bytes(data)], own) if own else client.send(bytes(data))
                    client.recv(4096)
                except OSError:
                    pass
                finally:
                    os.close(self.carried)
        os.close(null)
        self.still_serves()

    def carrier(self, fds):
        """The socket in which the program's descriptors lie; without any it is empty."""
        self.carried, sender = (end.detach() for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        with socket.socket(fileno=sender) as sender:
            if fds:
                socket.send_fds(sender, [b"x"], fds)
        return self.carried

    def recorded_launch(self):
        """What `warm exec` says, caught by a listener of our own that never answers."""
        path = os.path.join(self.daemon.dir, "listener.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen()
            process = subprocess.Popen([WARM, "exec", "--", APP, "outcome"], env=dict(self.daemon.env, WARM_SOCKET=path),
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            client, _ = listener.accept()
            data, fds, _, _ = socket.recv_fds(client, 1 << 18, 64)
            self.assertEqual(finish(process).out, "cold\n")  # after 100 ms of silence; its output ends
            self.assertEqual(len(fds), 3)
            with socket.socket(fileno=fds.pop()) as carrier:
                self.assertEqual(carrier.recv(1), b"")  # the program's descriptors were taken back
            for fd in fds:
                os.close(fd)
            client.close()
        os.unlink(path)
        return data

    def test_clients_that_vanish(self):
        for delay in (0, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.02):
            for words in (("outcome",), ("hold",)):
                process = self.daemon.popen(APP, *words)
                time.sleep(delay)
                process.kill()
                process.communicate()
        with self.connect():
            pass
        self.still_serves()

    def test_mutated_rpc(self):
        dice = random.Random(9)
        for _ in range(300):
            field = dice.randrange(1, 14)
            body = dice.randbytes(dice.randrange(0, 40))
            if dice.random() < 0.5:
                body = b"\x0a" + bytes([dice.randrange(0, 60)]) + body
            self.connect_and_send(struct.pack("<I", RPC_MAGIC) + bytes([field << 3 | 2, len(body)]) + body)
        self.still_serves_or_was_told_to_remove()

    def connect_and_send(self, datagram):
        with self.connect() as client:
            client.settimeout(0.02)
            try:
                client.send(datagram)
                client.recv(4096)
            except OSError:
                pass

    def still_serves_or_was_told_to_remove(self):
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log()[-2000:])
        if not [row for row in self.daemon.ls() if row["state"] == "published"]:
            make_snapshot(self.daemon)
        self.still_serves()

    def test_many_idle_connections(self):
        clients = []
        try:
            for _ in range(500):
                try:
                    clients.append(self.connect())
                except OSError:
                    break
            self.assertEqual(self.app("exit", "3").code, 3)
        finally:
            for client in clients:
                client.close()
        time.sleep(0.1)
        self.still_serves()
