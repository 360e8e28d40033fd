# SPDX-License-Identifier: MIT
"""What ends a run, and what leaves out a case."""


class Failure(Exception):
    """One line for the person who started this."""


class Skip(Exception):
    """Why a case cannot be measured here."""
