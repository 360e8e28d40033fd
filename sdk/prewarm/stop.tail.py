# SPDX-License-Identifier: MIT
import _frozen_importlib_external
import _imp
import posix


def plain_environment():
    """What takes notes of the environment goes again."""
    plain = dict.copy(posix.environ)
    for outer in (os.environ, os.environb):
        if getattr(outer, "_data", None) is posix.environ:
            outer._data = plain
    posix.environ = plain


def place(file, is_script):
    """What sys.path is going to begin with."""
    if file is None:
        return os.getcwd()
    return os.path.dirname(os.path.realpath(file)) if is_script else file


def is_hidden(where):
    """Would a cold start import another module from there than one that is loaded already?"""
    try:
        near = {entry.partition(".")[0] for entry in os.listdir(where)}
    except NotADirectoryError:      # an archive
        near = loaded
    seen = where in sys.path_importer_cache
    specs = [_frozen_importlib_external.PathFinder.find_spec(name, [where]) for name in loaded & near]
    if not seen:
        sys.path_importer_cache.pop(where, None)
    return any(spec and spec.loader for spec in specs)


def after(is_copy, file, is_script):
    """Just before the program runs: `file`, or another kind of program (None)."""
    try:
        anew = not sys.flags.isolated and not getattr(sys.flags, "safe_path", False) and \
            is_hidden(place(file, is_script))
    except OSError:                 # then nothing is imported from there
        anew = False
    if anew:
        posix.execv(sys.executable, sys.orig_argv)
    if not is_copy:
        return
    reseed()
    process = sys.modules.get("multiprocessing.process")
    if process:         # a secret of its own
        process.current_process().authkey = os.urandom(32)


def finds_importers_as_ever():
    """Then a file that is neither archive nor directory has none."""
    return type(sys.path_importer_cache) is dict and [getattr(hook, "__qualname__", "") for hook in sys.path_hooks] == \
        ["zipimporter", "FileFinder.path_hook.<locals>.path_hook_for_FileFinder"]


# Built-in and frozen modules are found before any directory is searched.
loaded = {name for name in (name.partition(".")[0] for name in present - there)
          if name not in there and name not in sys.builtin_module_names and not _imp.is_frozen(name)}
plain_environment()
if finds_importers_as_ever():
    remember = sys.path_importer_cache.setdefault
datagrams = list(depends_requests(collect(())))
if names:
    rehearse()
# What was loaded for this alone is not there in a cold start.
for name in set(sys.modules) - present:
    del sys.modules[name]
