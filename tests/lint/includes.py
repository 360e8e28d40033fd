# SPDX-License-Identifier: MIT
"""What may include what: the layer table of docs/ARCHITECTURE.md, no cycles, one door per outside library."""
import os
import re

from sources import files, text

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)

# Header of an outside library → the only files (or folders, ending in /) that may include it.
DOORS = {
    r"ev\.h": ("warmd/",),
    r"sqlite3\.h": ("cache/catalog.c",),
    r"lz4.*\.h": ("cache/pack.c", "cache/pack_write.c"),
    r"(sys|linux)/ptrace\.h": ("snapshot/tracee.c", "snapshot/tracee_become.c"),
    r"seccomp\.h": ("warmd/confine.c",),
    r"sys/capability\.h": ("warmd/confine.c",),
    r"dlfcn\.h": ("plugins/host.c", "sdk/prewarm/symbols.c"),
}


def layer_table(architecture):
    """{layer: [what it may include]} from the indented block under "## Layers"."""
    section = architecture.split("\n## Layers", 1)[1].split("\n## ", 1)[0]
    table = {}
    for name, rest in re.findall(r"^ {4}([a-z/_]+):\s+(.*)$", section, re.M):
        rest = re.split(r"\s{2,}|;", rest)[0]
        table[name] = [] if rest.strip() == "-" else re.split(r"[,\s]+", rest.strip())
    return table


def is_in(path, layer):
    """cache/pack holds cache/pack.c, cache/pack_internal.h and cache/pack/...; base holds base/..."""
    return path == layer or path.startswith(layer + "/") or ("/" in layer and path.startswith((layer + ".", layer + "_")))


def layer_of(path, table):
    found = [layer for layer in table if is_in(path, layer)]
    return max(found, key=len) if found else None


def resolve(root, path, name):
    """A quoted include as a path of the project: from the root, else beside the file; generated headers are proto's."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if not os.path.exists(os.path.join(root, name)) and os.path.exists(os.path.join(root, beside)):
        return beside
    return name


def quoted(root, path):
    return [resolve(root, path, name) for name, _ in INCLUDE.findall(text(root, path)) if name]


def layers(root):
    table = layer_table(text(root, "docs/ARCHITECTURE.md"))
    problems = [] if table else ["docs/ARCHITECTURE.md: no layer table"]
    for path in files(root, (".c", ".h")):
        if path.startswith(("tests/", "bench/")):
            continue
        mine = layer_of(path, table)
        if mine is None:
            problems.append(f"{path}: is in no layer of docs/ARCHITECTURE.md")
            continue
        for target in quoted(root, path):
            allowed = [mine] + table[mine]
            theirs = layer_of(target, table)
            if not any(is_in(target, a) or (theirs and is_in(theirs, a)) for a in allowed):
                problems.append(f"{path}: {mine} may not include {target}")
    return problems


def cycles(root):
    graph = {path: quoted(root, path) for path in files(root, (".c", ".h"))}
    done, problems = set(), []

    def visit(path, trail):
        if path in trail:
            problems.append("include cycle: " + " -> ".join(trail[trail.index(path):] + [path]))
        elif path in graph and path not in done:
            for target in graph[path]:
                visit(target, trail + [path])
            done.add(path)

    for path in graph:
        visit(path, [])
    return problems


def doors(root):
    problems = []
    for path in files(root, (".c", ".h")):
        if path.startswith("tests/"):
            continue
        for _, header in INCLUDE.findall(text(root, path)):
            for pattern, allowed in DOORS.items():
                inside = any(path == door or (door.endswith("/") and path.startswith(door)) for door in allowed)
                if header and re.fullmatch(pattern, header) and not inside:
                    problems.append(f"{path}: <{header}> belongs in {' '.join(allowed)} only")
    return problems
