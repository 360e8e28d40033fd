# SPDX-License-Identifier: MIT
"""Each check is shown something wrong and must notice; a check that cannot fail proves nothing."""
import os
import shutil
import subprocess
import tempfile

import binaries
import includes
import manners
import provoked
from sources import ROOT

ARCHITECTURE = "# A\n\n## Layers\n\n    base:    -\n    proto:   base        words\n    cache/pack: base\n    cache:   base proto\n\n## B\n"
SPDX = "/* SPDX-License-Identifier: MIT */\n"


def tree(**contents):
    """A small project in a temporary folder; names with __ for / and _h for .h."""
    root = tempfile.mkdtemp(prefix="warm-lint-")
    contents.setdefault("docs__ARCHITECTURE_md", ARCHITECTURE)
    for name, content in contents.items():
        stem, end = name.rsplit("_", 1)
        path = os.path.join(root, stem.replace("__", "/") + "." + end)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    shutil.copy(os.path.join(ROOT, ".clang-format"), root)
    return root


def on_tree(check, **contents):
    root = tree(**contents)
    try:
        return check(root)
    finally:
        shutil.rmtree(root)


def on_object(check, source, *flags):
    folder = tempfile.mkdtemp(prefix="warm-lint-")
    try:
        path, out = os.path.join(folder, "a.c"), os.path.join(folder, "a.o")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        subprocess.run(["gcc", "-O1", *flags, "-o", out, path], check=True)
        return check(out)
    finally:
        shutil.rmtree(folder)


def refusals():
    """Of sources that refuse three things, and tests that provoke these or others."""
    source = ('#define HINT "close it (a, b)"\nint f(void)\n{\n\treturn err_refuse(err, HINT, "fd %d: a " /* (so) */ "%s, %s", g(1, 2), h);\n'
              '\treturn err_refuse(err, "x", "memory at %#lx: tea");\n}\nstatic const char *words[] = {REFUSED("cup")};\n')
    victim = '/* Tea. victim: alone refused\n * "memory at %#lx: tea" */\n'
    python = "untouched.refused(1, refusal(f'fd {n}: a cup, blue'))\n"
    right = {"snapshot__a_c": source, "tests__victims__a_c": victim, "tests__e2e__a_py": python, "tests__refusals_py": "NOT_HERE = {}\n"}

    def wrong(**changed):
        return on_tree(provoked.provoked, **{**right, **changed})
    return (not on_tree(provoked.provoked, **right)
            and wrong(tests__victims__a_c="/* Tea. victim: alone */\n")                            # nobody provokes it
            and wrong(tests__e2e__a_py="refusal('fd %d: a pot, blue')\n")                          # nor this row of the table
            and wrong(tests__e2e__a_py=python + "refusal('fd 5: a')\n")                            # gone, or never there
            and wrong(snapshot__b_c='err_refuse(err, "x", "memory at %#lx: tea")')                  # in two places
            and wrong(snapshot__b_c='err_refuse(err, "x", words)')                                  # not to be seen
            and wrong(snapshot__b_c='err_refuse(err, "x", "a bomb")')
            and not wrong(snapshot__b_c='err_refuse(err, "x", "a bomb")', tests__refusals_py="NOT_HERE = {'a bomb': 'it hurts'}\n")
            and wrong(snapshot__b_c='err_refuse(err, "x", "a bomb")', tests__refusals_py="NOT_HERE = {'a bomb': ' '}\n")
            and wrong(tests__refusals_py="NOT_HERE = {'a bomb': 'it hurts'}\n"))


def run():
    """[(name, whether the check noticed the wrong thing and let the right thing pass)]"""
    object_flags = ("-c", "-fno-pic", "-fcf-protection=none", "-fno-asynchronous-unwind-tables")
    program_flags = ("-static", "-nostdlib", "-no-pie", "-Wl,-e,f", "-Wl,--build-id=none", "-fcf-protection=none")
    pure = "int f(int a);\nint f(int a)\n{\n\treturn a + 1;\n}\n"
    calls = "int g(int);\nint f(int a);\nint f(int a)\n{\n\treturn g(a) + 1;\n}\n"
    return [
        ("layers", on_tree(includes.layers, base__a_c='#include "proto/b.h"\n', proto__b_h="")
         and on_tree(includes.layers, unknown__a_c="")
         and not on_tree(includes.layers, proto__a_c='#include "base/b.h"\n', base__b_h="")),
        ("part of a layer", on_tree(includes.layers, cache__pack_c='#include "proto/b.h"\n', proto__b_h="")
         and not on_tree(includes.layers, cache__a_c='#include "cache/pack.h"\n', cache__pack_h="")),
        ("cycles", on_tree(includes.cycles, base__a_h='#include "base/b.h"\n', base__b_h='#include "a.h"\n')
         and not on_tree(includes.cycles, base__a_h='#include "base/b.h"\n', base__b_h="")),
        ("doors", on_tree(includes.doors, base__a_c="#include <sqlite3.h>\n")
         and on_tree(includes.doors, cache__a_c="#include <lz4hc.h>\n")
         and on_tree(includes.doors, snapshot__a_c="# include <sys/ptrace.h>\n")
         and not on_tree(includes.doors, warmd__a_c="#include <ev.h>\n")),
        ("undefined symbols", on_object(binaries.undefined, calls, *object_flags)
         and not on_object(binaries.undefined, pure, *object_flags)),
        ("relocations", on_object(binaries.relocations, calls, *object_flags)
         and not on_object(binaries.relocations, pure, *object_flags)),
        ("writable sections", on_object(binaries.writable, "int counter = 5;\n", *object_flags)
         and on_object(binaries.writable, "int room[9];\n", *object_flags)
         and not on_object(binaries.writable, pure, *object_flags)),
        ("closed set", on_object(lambda path: binaries.closed_set([path]), calls, *object_flags)
         and not on_object(lambda path: binaries.closed_set([path], but={"g"}), calls, *object_flags)
         and binaries.closed_set([])),
        ("static program", on_object(binaries.static_program, "int main(void)\n{\n\treturn 0;\n}\n")
         and not on_object(binaries.static_program, pure, *program_flags)),
        ("each refusal has a test", refusals()),
        ("what is refused is called so", on_tree(provoked.not_refusals, snapshot__a_c='int f(void)\n{\n\treturn err_set(err, ENOTSUP, "no");\n}\n')
         and not on_tree(provoked.not_refusals, snapshot__a_c='err_set(err, EPROTO, "what?"), err_refuse(err, HINT, "no")',
                         cache__a_c='err_set(err, ENOTSUP, "no")')),
        ("format", on_tree(manners.formatted, base__a_c=SPDX + "int  x ;\n")
         and not on_tree(manners.formatted, base__a_c=SPDX + "int x;\n")),
        ("licence", on_tree(manners.licensed, base__a_c="int x;\n") and not on_tree(manners.licensed, base__a_c=SPDX)),
        ("finished", on_tree(manners.finished, base__a_c="/* TO" + "DO: more */\n")
         and not on_tree(manners.finished, base__a_c="/* todolist */\n")),
        ("portable", on_tree(manners.portable, docs__a_md="see /wo" + "rk/main\n")
         and not on_tree(manners.portable, docs__a_md="see frame/work/a and /proc\n")),
        ("scripts", on_tree(manners.scripts, tests__a_py="def f(:\n") and on_tree(manners.scripts, tests__a_sh="if x\n")
         and not on_tree(manners.scripts, tests__a_py="a = 1\n")),
    ]
