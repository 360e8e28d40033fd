#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The files of the project. As a program: prints all C sources and headers."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_OURS = {"build", ".git", "__pycache__", "shared"}


def files(root=ROOT, ends=()):
    """Paths relative to root of every file whose name ends with one of `ends` (all: ())."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in NOT_OURS)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if not ends or name.endswith(tuple(ends)):
                found.append(path)
    return found


def text(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


if __name__ == "__main__":
    print("\n".join(files(ends=(".c", ".h"))))
