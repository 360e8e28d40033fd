# SPDX-License-Identifier: MIT
"""What the code of this process came from: files whose change, and directories in which a new name, would have given
other code. What the kernel maps (libraries, the interpreter) warmd sees by itself."""

import os
import stat
import sys

# Names that can be a module, a package or something importable; "/" stands for sub-directories. What else comes and
# goes in a directory - a database, a log, an editor's file - does not count.
IMPORTABLE = (".py", ".pyc", ".so", ".zip", ".egg", ".whl", "/")
# Besides, what site.py and importlib.metadata read in a directory of sys.path.
SITE = IMPORTABLE + (".pth", ".egg-link", ".egg-info")


def collect(declared):
    """[(absolute path, suffixes)], each path once."""
    found = {}
    for path in declared:
        add(found, os.fsdecode(path))
    add(found, "/etc/localtime")
    add_environment(found)
    for module in list(sys.modules.values()):
        add_module(found, module)
    # Every place that was searched for a module: one that appears there later could come before what was found, or
    # make an import succeed that failed.
    for place, suffixes in [(p, SITE) for p in sys.path] + [(p, IMPORTABLE) for p in sys.path_importer_cache]:
        if isinstance(place, (str, bytes)):
            add_place(found, os.fsdecode(place), suffixes)
    return list(found.items())


def add(found, path, suffixes=()):
    path = absolute(path)
    # The same directory declared by the program (every name counts) is stricter than what we would say.
    if path not in found or (found[path] and len(suffixes) > len(found[path])):
        found[path] = suffixes


def absolute(path):
    """Not normalised: `..` behind a symbolic link means what the kernel takes it for."""
    return path if path.startswith("/") else os.path.join(os.getcwd(), path)


def add_environment(found):
    """A virtual environment is one file beside the interpreter or above it; its appearance counts too, as does that of
    a place that site.py would have taken."""
    if sys.executable:
        directory = os.path.dirname(sys.executable)
        add(found, os.path.join(directory, "pyvenv.cfg"))
        add(found, os.path.join(os.path.dirname(directory), "pyvenv.cfg"))
    site = sys.modules.get("site")
    try:
        places = site.getsitepackages() + [site.USER_SITE] * bool(site.ENABLE_USER_SITE)
    except (AttributeError, TypeError):     # no site (-S), or somebody else's
        return
    for place in places:
        if isinstance(place, str) and place not in sys.path:
            add_place(found, place)


def add_module(found, module):
    try:
        names = object.__getattribute__(module, "__dict__")     # no module-level __getattr__ may run here
    except AttributeError:
        return
    get = names.get if isinstance(names, dict) else {}.get
    path = get("__file__")
    if isinstance(path, str):
        add_place(found, path)
    spec = get("__spec__")
    origin = getattr(spec, "origin", None)
    if isinstance(origin, str) and origin != path and getattr(spec, "has_location", False):
        add_place(found, origin)
    try:
        places = list(get("__path__") or ())
    except Exception:           # a namespace package recomputes its path, with its parent perhaps gone
        places = []
    for place in places:
        if isinstance(place, str):
            add_place(found, place, IMPORTABLE)


def add_place(found, path, suffixes=()):
    """A file, a directory, or something inside an archive: then the archive is what it came from."""
    path = absolute(path)
    if path in found and len(found[path]) >= len(suffixes):
        return
    kind = file_kind(path)
    if kind is None:
        archive = path
        while file_kind(archive) is None:
            archive = os.path.dirname(archive)
        if file_kind(archive) == "file":
            path = archive
    if kind != "directory":
        add(found, path)        # also a path that does not exist: it must stay so
        return
    add(found, path, suffixes or IMPORTABLE)
    if suffixes is SITE:
        add_pth_files(found, path)


def file_kind(path):
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    return "directory" if stat.S_ISDIR(mode) else "file"


def add_pth_files(found, directory):
    """site.py takes paths, and runs code, from these."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        if name.endswith(".pth"):
            add(found, os.path.join(directory, name))
            add_missing(found, directory, name)


def add_missing(found, directory, name):
    """Places that a .pth file names and that are not there."""
    try:
        with open(os.path.join(directory, name), "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        line = os.fsdecode(line).strip()
        if line and not line.startswith(("#", "import ", "import\t")):
            place = os.path.join(directory, line)
            if "\0" not in place and not os.path.lexists(place):
                add(found, place)
