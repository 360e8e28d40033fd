# SPDX-License-Identifier: MIT
"""Format, licence lines, nothing left to do, no path of somebody's machine, scripts that parse."""
import os
import re
import subprocess

from sources import files, text

LATER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
HOST = re.compile(r"(?<![\w.])/(?:work|home/\w+)/")
CODE = (".c", ".h", ".S", ".ld", ".py", ".sh", ".mk", ".proto", "Makefile")


def formatted(root):
    paths = files(root, (".c", ".h"))
    if not paths:
        return []
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *paths], cwd=root, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stdout, re.M)))
    if done.returncode and not wrong:
        return ["clang-format: " + done.stdout[:500]]
    return [f"{path}: not in format (make format)" for path in wrong]


def licensed(root):
    return [f"{path}: no SPDX line at the top" for path in files(root, CODE)
            if "SPDX-License-Identifier: MIT" not in "\n".join(text(root, path).splitlines()[:3])
            and text(root, path).strip()]


def finished(root):
    return [f"{path}:{n}: left for later: {line.strip()[:80]}" for path in files(root, CODE + (".md",))
            for n, line in enumerate(text(root, path).splitlines(), 1) if LATER.search(line)]


def portable(root):
    return [f"{path}:{n}: a path of one machine: {line.strip()[:80]}" for path in files(root, CODE + (".md",))
            for n, line in enumerate(text(root, path).splitlines(), 1) if HOST.search(line)]


def scripts(root):
    problems = []
    for path in files(root, (".py",)):
        try:
            compile(text(root, path), path, "exec")
        except SyntaxError as error:
            problems.append(f"{path}: {error}")
    for path in files(root, (".sh",)):
        done = subprocess.run(["sh", "-n", os.path.join(root, path)], stderr=subprocess.PIPE, text=True, check=False)
        problems += [done.stderr.strip()] if done.returncode else []
    return problems
