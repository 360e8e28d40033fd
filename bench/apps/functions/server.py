# SPDX-License-Identifier: MIT
"""A function server: functions behind HTTP that scale to zero.

    python3 server.py CONFIG

CONFIG is JSON: {"functions": {NAME: [argv…]}, "launcher": [argv…], "keep_alive_s": S, "most": N}. GET /NAME?WORDS is one call: an
instance of NAME gets the line WORDS on its standard input and answers with one line on its standard output, which is the
answer's body. A call goes to the idle instance that was used last. Where there is none a new one is started, as `launcher argv…`, unless
the function has N already, and the call goes to whatever instance is free first; the header X-Waited says so. An instance says that it
can work by one line. One that has been idle for keep_alive_s sees the end of its standard input, and ends.

The first line on standard output is the port. The server ends, and its instances with it, when its standard input ends.
"""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse


class Instance:
    """A process that answers one call after the other."""

    def __init__(self, argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.idle_since = 0.0

    def ready(self):
        """Waits for it. False: it has ended."""
        return bool(self.process.stdout.readline())

    def call(self, words):
        """Its answer; b"" where it has ended."""
        try:
            self.process.stdin.write(words.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            return b""
        return self.process.stdout.readline()

    def end(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        self.process.wait()
        self.process.stdout.close()


class Function:
    def __init__(self, argv, most):
        self.argv = argv
        self.most = most
        self.n = 0              # instances
        self.failed = 0         # instances that ended by themselves
        self.idle = []          # used last: at the end
        self.changed = threading.Condition()

    def call(self, words):
        """(answer, whether the call had to wait for an instance); b"" where it got none that answers."""
        instance, waited = self.take()
        answer = instance.call(words) if instance else b""
        if instance:
            self.give(instance, bool(answer))
        return answer, waited

    def take(self):
        with self.changed:
            if self.idle:
                return self.idle.pop(), False
            if self.n < self.most:
                self.n += 1
                threading.Thread(target=self.launch, daemon=True).start()
            failed = self.failed
            self.changed.wait_for(lambda: self.idle or self.failed > failed)
            return self.idle.pop() if self.idle else None, True

    def launch(self):
        instance = Instance(self.argv)
        self.give(instance, instance.ready())

    def give(self, instance, works):
        instance.idle_since = time.monotonic()
        with self.changed:
            if works:
                self.idle.append(instance)
                self.changed.notify()
                return
            self.n -= 1
            self.failed += 1
            self.changed.notify_all()
        instance.end()

    def end_idle(self, before):
        """Those that have been idle since then or longer."""
        with self.changed:
            old = [each for each in self.idle if each.idle_since <= before]
            self.idle = [each for each in self.idle if each.idle_since > before]
            self.n -= len(old)
        for instance in old:
            instance.end()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, config):
        super().__init__(("127.0.0.1", 0), Handler)
        self.functions = {name: Function([*config["launcher"], *argv], config["most"]) for name, argv in config["functions"].items()}
        self.keep_alive_s = config["keep_alive_s"]

    def service_actions(self):
        """Called twice a second. A thread of its own: an instance may take its time to end."""
        threading.Thread(target=self.end_idle, args=(time.monotonic() - self.keep_alive_s,), daemon=True).start()

    def end_idle(self, before):
        for function in self.functions.values():
            function.end_idle(before)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        function = self.server.functions.get(url.path[1:])
        answer, waited = function.call(urllib.parse.unquote(url.query)) if function else (b"", False)
        self.send_response(200 if answer else 502 if function else 404)
        self.send_header("X-Waited", str(int(waited)))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        server = Server(json.load(file))
    os.write(1, b"%d\n" % server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.read(0, 4096):
        pass
    server.shutdown()
    server.end_idle(time.monotonic())


if __name__ == "__main__":
    main()
