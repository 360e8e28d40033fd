# SPDX-License-Identifier: MIT
# Runs in an interpreter that stands before its program, in a namespace of its own, between the SDK's _wire.py,
# _depends.py and _process.py: loads `names`, and leaves datagrams (what all of it came from), note and after behind.
import sys

failed = []
writes = sys.dont_write_bytecode
sys.dont_write_bytecode = True      # what is written counts as output
for name in names:
    try:
        __import__(name)
    except BaseException as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
sys.dont_write_bytecode = writes
note = "; ".join(failed)
present = set(sys.modules)
