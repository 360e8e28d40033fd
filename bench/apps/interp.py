# SPDX-License-Identifier: MIT
"""A Python interpreter with json and re imported: prints one byte when it could work, then its arguments."""

import json
import os
import re
import sys

try:
    import warm
except ImportError:
    warm = None

PATTERN = re.compile(r"(\w+)=(.*)")

if warm:
    warm.ready(argv=True)

os.write(1, b"r")
pairs = [PATTERN.fullmatch(argument) for argument in sys.argv[1:]]
os.write(1, (json.dumps({pair[1]: pair[2] for pair in pairs if pair}, sort_keys=True) + "\n").encode())
