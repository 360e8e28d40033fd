# SPDX-License-Identifier: MIT
"""Lets tests import the modules of bench/."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "bench"))
