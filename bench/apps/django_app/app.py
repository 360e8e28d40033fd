# SPDX-License-Identifier: MIT
"""A Django application with numpy and pandas, as a command: answers one request and ends.

    python3 app.py [--ready-byte] [--hold | --own | --serve SOCKET] [PATH [NAME=VALUE ...]]

The request is the arguments (PATH, parameters), the environment (DEMO_*), the working directory and standard input
(numbers); the answer depends on each of them and on nothing else, so that every run of the same command prints the
same.
It runs as well where Warm is not installed.

--ready-byte  prints one byte first, as soon as the application could work: for measuring
--hold        waits for SIGTERM after the answer: for measuring its memory
--own         instead of answering, forks for each line of standard input, whose numbers are the request's, and prints
              how many microseconds the 20th answer took there
--serve SOCKET  instead of answering, is a fork server, as it is written by hand where Warm is not: each client
              (bench/apps/forkclient.c) sends arguments and descriptors 0, 1, 2 and gets its exit status back
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OWN_CALLS = 20


def start():
    """What is slow, and the same for every request."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    django.setup()

    from django.core.handlers.wsgi import WSGIHandler

    handler = WSGIHandler()
    status, _ = call(handler, "/report/", "city=Oslo&rows=3", b"1 2 3", {}, "/")
    assert status == "200 OK", status
    return handler


def wait_for_launch(handler):
    try:
        import warm
    except ImportError:
        return

    @warm.before_snapshot
    def exercise():
        """Only where a snapshot is taken: the interpreter specialises code that has run a few times."""
        for _ in range(OWN_CALLS):
            call(handler, "/report/", "city=Oslo&rows=3", b"1 2 3", {}, "/")

    warm.ready(argv=True, env=("DEMO_*",), cwd=True, depends=[os.path.join(HERE, "shop", "templates", "report.txt")])


def main(handler, arguments):
    if take(arguments, "--ready-byte"):
        os.write(1, b"r")
    hold = take(arguments, "--hold")
    own = take(arguments, "--own")
    if take(arguments, "--serve"):
        return serve_forked(handler, arguments[0])
    path = arguments[0] if arguments else "/report/"
    query = "&".join(arguments[1:])

    def answer(body):
        return call(handler, path, query, body, demo_headers(), os.getcwd())

    if own:
        return measure_forks(answer)
    status, page = answer(sys.stdin.buffer.read())
    os.write(1, page)
    if hold:
        import signal

        signal.pause()
    return 0 if status.startswith("200") else 1


def call(handler, path, query, body, headers, directory):
    """One request, as a WSGI server would hand it on."""
    import io

    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": query,
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr, "wsgi.url_scheme": "http", "HTTP_X_DIRECTORY": directory, **headers,
    }
    seen = []
    parts = handler(environ, lambda status, _headers: seen.append(status))
    return seen[0], b"".join(parts)


def demo_headers():
    return {"HTTP_X_" + name: value for name, value in os.environ.items() if name.startswith("DEMO_")}


def measure_forks(answer):
    null = os.open("/dev/null", os.O_WRONLY)
    for body in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            for _ in range(OWN_CALLS):
                began = time.perf_counter()
                os.write(null, answer(body)[1])
                took = time.perf_counter() - began
            os.write(1, b"%d\n" % round(took * 1e6))
            os._exit(0)
        os.waitpid(pid, 0)
    return 0


def serve_forked(handler, path):
    """Until it is killed. Says that it listens by a byte on standard output."""
    import signal
    import socket

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(128)
        os.write(1, b"r")
        while True:
            client = listener.accept()[0]
            if os.fork() == 0:
                become(handler, client)
            client.close()


def become(handler, client):
    """Takes what one client sent and becomes its launch."""
    import socket

    status = 1
    try:
        words, descriptors, _, _ = socket.recv_fds(client, 4096, 3)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdin = open(0, encoding="utf-8")
        status = main(handler, words.decode().split("\0")[:-1])
        client.send(bytes([status]))
    finally:
        os._exit(status)


def take(arguments, option):
    if arguments[:1] != [option]:
        return False
    arguments.pop(0)
    return True


if __name__ == "__main__":
    application = start()
    wait_for_launch(application)
    # As the children of the fork server do: all is written. An interpreter's tidying up writes to 40 MiB of a copy, which would be
    # measured on one side only.
    os._exit(main(application, sys.argv[1:]))
