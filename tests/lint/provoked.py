#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every place where a snapshot can be refused by name has a test that provokes it, and each test names what is there. As a
program: prints the list, each refusal with those that provoke it."""
import ast
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from refusals import CONVERSION, refusal, victim_marks, victim_refused  # noqa: E402  (the path has to be there first)
from sources import ROOT, files, text  # noqa: E402

FOLDERS = ("snapshot/", "plugins/", "warmd/")
# Functions that refuse, and which of their arguments is the format; that of plugins is called through a pointer.
CALL = re.compile(r"\b(?:(err_refuse)|(?:\w+->)(refuse))\(")
FORMAT_AT = {"err_refuse": 2, "refuse": 1}
# In these folders nothing but a refusal has another code than one of these: what the kernel says and we do not understand,
# no room, an image that is damaged, a clone that differs; and a process that is there no more.
WITHOUT_OTHERS = ("snapshot/", "plugins/guest.c", "plugins/place.c")
OURS = {"EPROTO", "ENOMEM", "EBADMSG", "EUCLEAN", "ESRCH"}
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|/\*.*?\*/|[(){},]', re.S)
LITERAL = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\Z')


def code(root, path):
    """A source without its comments, its lines where they were."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()) if match.group().startswith("/*") else match.group(), text(root, path))


def arguments(source, at):
    """What stands between the parenthesis that was opened before `at` and its end, at each comma."""
    found, depth, begin = [], 1, at
    for token in TOKEN.finditer(source, at):
        what = token.group()
        if what in "({":
            depth += 1
        elif what in ")}":
            depth -= 1
        if depth == 0 or (depth == 1 and what == ","):
            found.append(source[begin:token.start()])
            begin = token.end()
        if depth == 0:
            break
    return found


def literal(expression):
    """The text of a string literal in as many pieces as it has; None: it is something else."""
    match = LITERAL.match(expression)
    return ast.literal_eval("(" + match.group(1) + ")") if match else None


class Refusal:
    """One err_refuse() of the sources, or one row of a table whose words are put into one."""

    def __init__(self, place, words, row=False):
        self.place, self.words, self.row = place, words, row
        self.tests = []
        self.weight = len("".join(CONVERSION.split(words)))

    def is_meant_by(self, words):
        return refusal(self.words).fullmatch(words)

    def has_row(self, row, words):
        """Whether the words are these with the row's in the place of a %s."""
        parts = self.words.split("%s")
        return any(refusal("%s".join(parts[:i]) + row.words + "%s".join(parts[i:])).fullmatch(words) for i in range(1, len(parts)))


def in_sources(root):
    """([Refusal], problems): everything that is refused anywhere."""
    found, problems, at = [], [], {}
    for path in files(root, (".c",)):
        if not path.startswith(FOLDERS):
            continue
        source = code(root, path)
        for match in CALL.finditer(source):
            words = literal(arguments(source, match.end())[FORMAT_AT[match.group(1) or match.group(2)]])
            words = f"plugin %s: {words}" if words and match.group(2) else words    # as guest.c passes them on
            place = f"{path}:{source.count(chr(10), 0, match.start()) + 1}"
            if words is None:
                problems.append(f"{place}: the words of a refusal are to be seen where it is")
            elif words in at:
                problems.append(f"{place}: {words!r} is refused in {at[words]}, too: make it one place")
            else:
                at[words] = place
                found.append(Refusal(place, words))
        for match in re.finditer(r'\bREFUSED\(("[^"]*")\)', source):
            found.append(Refusal(f"{path}:{source.count(chr(10), 0, match.start()) + 1}", literal(match.group(1)), row=True))
    return found, problems


def not_refusals(root):
    """Errors of the programs that take snapshots whose code says that it is the program's fault."""
    problems = []
    for path in files(root, (".c",)):
        source = code(root, path) if path.startswith(WITHOUT_OTHERS) else ""
        for match in re.finditer(r"\berr_set\(", source):
            number = arguments(source, match.end())[1].strip()
            if number not in OURS:
                problems.append(f"{path}:{source.count(chr(10), 0, match.start()) + 1}: {number}: what is no failure of ours is refused: "
                                "err_refuse()")
    return problems


def spelled(node):
    """A string, or one with {parts} that are put in; None: something else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "%s" for part in node.values)
    return None


def in_tests(root):
    """([(words, where)], problems): what tests say that they provoke, or that nothing here does."""
    found, problems = [], []
    for path in files(root, (".c",)):
        if path.startswith("tests/victims/"):
            words = victim_refused(victim_marks(text(root, path)))
            found += [(words, path)] if words else []
    for path in files(root, (".py",)):
        if not path.startswith("tests/"):
            continue
        for node in ast.walk(ast.parse(text(root, path))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "refusal" and not path.startswith("tests/lint/"):
                words = spelled(node.args[0])
                found += [(words, f"{path}:{node.lineno}")] if words else []
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "NOT_HERE":
                for words, why in ast.literal_eval(node.value).items():
                    found.append((words, f"{path} (not here: {why})"))
                    problems += [] if why.strip() else [f"{path}: {words!r}: no reason why it cannot be provoked"]
    return found, problems


def meant(refusals, words):
    """The refusal that a test means: of those that may read so the one that says most of it itself."""
    fit = [one for one in refusals if not one.row and one.is_meant_by(words)]
    return max(fit, key=lambda one: one.weight, default=None)


def joined(root):
    """([Refusal], problems), each with its tests."""
    refusals, problems = in_sources(root)
    tests, more = in_tests(root)
    for words, where in tests:
        one = meant(refusals, words)
        if one is None:
            more.append(f"{where}: nothing is refused with {words!r}")
            continue
        one.tests.append(where)
        for row in refusals:
            if row.row and row.place.split(":")[0] == one.place.split(":")[0] and one.has_row(row, words):
                row.tests.append(where)
    return refusals, problems + more


def provoked(root):
    refusals, problems = joined(root)
    return problems + [f"{one.place}: no test provokes {one.words!r}" for one in refusals if not one.tests]


def main():
    refusals, problems = joined(ROOT)
    for one in refusals:
        print(f"{one.place}: {one.words}\n    " + ("\n    ".join(one.tests) or "NO TEST"))
    print("\n".join(problems))
    print(f"{len(refusals)} refusals, {sum(not one.tests for one in refusals)} without a test, {len(problems)} problems")


if __name__ == "__main__":
    main()
