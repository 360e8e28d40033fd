# SPDX-License-Identifier: MIT
# Runs in an interpreter that stands before its program, in a namespace of its own, between the SDK's _wire.py,
# _depends.py and _process.py: loads `names`, and leaves behind what the library sends: datagrams (what all of it came
# from), variables (those that it has looked at; `seen` so far), a note for the log, and what copies are to call.
import sys

failed = []
there = set(sys.modules)
before = sys.argv, sys.orig_argv, sys.dont_write_bytecode
# Whose program it is going to be nobody knows yet; and what is written counts as output.
sys.argv, sys.orig_argv, sys.dont_write_bytecode = [""], [], True
for name in names:
    try:
        __import__(name)
    except BaseException as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
sys.argv, sys.orig_argv, sys.dont_write_bytecode = before
note = "; ".join(failed)
variables = [name for name in seen if isinstance(name, bytes)]
present = set(sys.modules)
