# SPDX-License-Identifier: MIT
import posix


def plain_environment():
    """What takes notes of the environment goes again."""
    plain = dict.copy(posix.environ)
    for outer in (os.environ, os.environb):
        if getattr(outer, "_data", None) is posix.environ:
            outer._data = plain
    posix.environ = plain


def after():
    reseed()
    process = sys.modules.get("multiprocessing.process")
    if process:         # a secret of its own
        process.current_process().authkey = os.urandom(32)


def finds_importers_as_ever():
    """Then a file that is neither archive nor directory has none."""
    return type(sys.path_importer_cache) is dict and [getattr(hook, "__qualname__", "") for hook in sys.path_hooks] == \
        ["zipimporter", "FileFinder.path_hook.<locals>.path_hook_for_FileFinder"]


plain_environment()
if finds_importers_as_ever():
    remember = sys.path_importer_cache.setdefault
datagrams = list(depends_requests(collect(())))
if names:
    rehearse()
# What was loaded for this alone is not there in a cold start.
for name in set(sys.modules) - present:
    del sys.modules[name]
