# SPDX-License-Identifier: MIT
"""Warm: a program that starts as if it were already running.

    import warm

    load_everything()                 # what is slow, and the same for every launch
    warm.ready(argv=True)             # started by `warm exec`, the program is frozen and stored here ...
    main(sys.argv)                    # ... and every later `warm exec` of it begins here

ready() returns twice, like fork: "resumed" in the original, "restored" in each copy. Without a daemon, or not started
by `warm exec`, it returns "cold" at once. Only modules that every interpreter has loaded anyway are imported here.
"""

import _thread
import os

__all__ = ["ready", "before_snapshot", "after_restore", "generation"]

COLD, RESUMED, RESTORED = "cold", "resumed", "restored"


class _State:
    """The process has one hook, so this has one instance."""

    def __init__(self):
        self.lock = _thread.RLock()
        self.pid = 0            # of the process that called ready(): a copy has the same, a forked child another
        self.running = False
        self.result = None
        self.before = []
        self.after = []
        self.generation = 0


_state = _State()


def ready(argv=False, env=(), cwd=False, depends=()):
    """The hook: call it once, when what is the same for every launch is done. Any thread may call it.

    argv     True: the arguments after the script (or -m NAME, or -c CODE) are the launch's from here on (sys.argv)
    env      names of environment variables that are the launch's from here on, NAME or PREFIX* (os.environ)
    cwd      True: the working directory is the launch's from here on
    depends  files and directories that the program's state came from, besides its code: templates, settings, data.
             When one of them changes the snapshot is not used any more. A path that does not exist must stay so.

    To declare something is the program's word that it was not used before; what is not declared must be equal, or the
    launch starts cold. Returns "resumed" in the original, "restored" in a copy, "cold" where no snapshot is taken
    (no daemon, not started by `warm exec`, in a child process). A second call returns what the first did.
    """
    if isinstance(env, (str, bytes)) or isinstance(depends, (str, bytes)):
        raise TypeError("env and depends are sequences of names, not one name")
    if _state.pid and _state.pid != os.getpid():
        return COLD             # before the lock: a thread that was not forked may hold it
    with _state.lock:
        if _state.running:
            return COLD         # called by one of its own hooks
        if _state.result is None:
            _state.pid = os.getpid()
            _state.running = True
            try:
                _state.result = _run(argv, env, cwd, depends)
            finally:
                _state.running = False
        return _state.result


def before_snapshot(function):
    """Decorator: the function runs in ready() before the snapshot, the latest registered first. If one raises, no
    snapshot is taken, ready() returns "cold" and the program goes on."""
    _state.before.append(function)
    return function


def after_restore(function):
    """Decorator: the function runs in each copy before ready() returns, in the order of registration: the place to
    connect again and to reseed generators of your own. If one raises, the copy ends with exit status 125."""
    _state.after.append(function)
    return function


def generation():
    """The number of this copy, never 0 and never the same twice; 0 in the original."""
    return _state.generation


def _run(argv, env, cwd, depends):
    from . import _daemon, _wire

    connection = _daemon.connect()
    if connection is None:
        return COLD
    with connection:
        if not connection.is_wanted() or not _run_before():
            return COLD
        from . import _depends, _loops, _process

        names = [os.fsdecode(name) for name in env]
        process = _process.Process(argv=argv, env=names)
        request = _wire.ready_request(connection.fileno(), argv, process.fixed_args, cwd, names)
        # Thousands of small objects that are gone again before the freeze: every copy would have to free them.
        if not connection.declare(_depends.collect(depends)):
            return COLD
        loops = _loops.Loops()
        loops.stop()            # before the objects that there are cannot be listed any more
        process.settle()
        answer = None
        try:
            answer = connection.ask(request)
        finally:
            restored = answer is not None and answer.outcome == _wire.RESTORED
            loops.go_on(restored)
            if not restored:
                process.unsettle()
    if answer.outcome == _wire.RESTORED:
        _state.generation = answer.generation
        _become(process, answer)
        _run_after()
        return RESTORED
    return RESUMED if answer.outcome == _wire.RESUMED else COLD


def _run_before():
    for function in reversed(_state.before):
        try:
            function()
        except Exception as error:
            _say(f"hook {_name(function)}: {_words(error)}: no snapshot is taken")
            return False
    return True


def _become(process, answer):
    try:
        process.become(answer)
    except Exception as error:
        _end("become the launch", error)


def _run_after():
    for function in _state.after:
        try:
            function()
        except BaseException as error:
            _end(f"run hook {_name(function)}", error)


def _end(what, error):
    """A copy that cannot become what was launched must not go on."""
    _say(f"this copy could not {what}: {_words(error)}; `warm exec --cold` runs the program without a snapshot")
    os._exit(125)


def _name(function):
    return getattr(function, "__qualname__", None) or repr(function)


def _words(error):
    return " ".join(f"{type(error).__name__}: {error}".split())


def _say(line):
    import sys

    try:
        sys.stderr.write(f"warm: {line}\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass                    # standard error is closed: there is nobody to tell
