# SPDX-License-Identifier: MIT
"""What was built to run without libc: no undefined symbol, no relocation, nothing writable, no interpreter."""
import glob
import os
import subprocess


def tool(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def symbols(path, kind):
    return {line.split()[-1] for line in tool("nm", f"--{kind}-only", path).splitlines() if len(line.split()) >= 2}


def undefined(path):
    return [f"{path}: undefined symbol {name}" for name in sorted(symbols(path, "undefined"))]


def relocations(path):
    out = tool("readelf", "-rW", path)
    return [] if "There are no relocations" in out else [f"{path}: has relocations"]


def writable(path):
    """Sections with contents or room in memory that are both allocated and writable."""
    found = []
    for line in tool("readelf", "-SW", path).splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 8 and fields[0].startswith("[") and "W" in fields[7] and "A" in fields[7] and int(fields[5], 16):
            found.append(f"{path}: section {fields[1]} is writable")
    return found


def restorer(path):
    if not os.path.exists(path):
        return [f"{path}: was not built"]
    return undefined(path) + relocations(path) + writable(path)


def static_program(path):
    """warm-init may have data, but no libc, no loader."""
    if not os.path.exists(path):
        return [f"{path}: was not built"]
    out = tool("readelf", "-lW", path)
    loader = [f"{path}: wants a dynamic loader"] if "INTERP" in out or "DYNAMIC" in out else []
    return undefined(path) + relocations(path) + loader


def closed_set(objects, but=()):
    """Objects that may use each other's symbols, `but`, and nothing else."""
    if not objects:
        return ["no object was built"]
    defined = set(but).union(*(symbols(path, "defined") for path in objects))
    return [f"{path}: undefined symbol {name}" for path in objects for name in sorted(symbols(path, "undefined") - defined)]


def hot_command(build):
    return closed_set(sorted(glob.glob(os.path.join(build, "obj/sdk/cli/hot/*.o"))), but={"_start"})
