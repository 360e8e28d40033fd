# SPDX-License-Identifier: MIT
"""The words of refusals. The sources have them as formats (err_refuse() in base/err.h), and whoever provokes one names it
by the same words: a victim behind "victim: refused", an end-to-end test by refusal(). Any part may be filled in that the
format leaves open: `fd %d: device %s` and `fd %d: device /dev/full` are the same refusal, and the second is more exact.
tests/lint/refusals.py sees to it that none is without a test, and that none is named that is not there."""
import re

CONVERSION = re.compile(r"%[-#0]*\d*(?:\.(?:\d+|\*))?(?:ll|l|z)?[a-zA-Z]")

# Refusals that cannot be provoked on a machine that tests run on, and why. The victims' runner counts them as skipped.
NOT_HERE = {
    "fd %d: a file lock that is not known, on %s": "a kernel that shows locks in another way",
    "process %d has a file lock that none of its descriptors shows: %.*s": "a kernel that shows locks in two ways (tests/unit/test_locks.c has one)",
    "memory at %#lx: flag %s is not known": "a kernel that knows of more",
    "memory at %#lx: device memory (flag io) is not supported": "only a device's driver makes it, and maps of devices are refused before",
    "memory at %#lx: memory without page structs (flag pf) is not supported":
        "only a device's driver makes it, and maps of devices are refused before",
    "memory at %#lx: memory with mixed pages (flag mm) is not supported": "a file on persistent memory (DAX)",
    "memory at %#lx: a user shadow stack (flag ss) is not supported": "a kernel with CONFIG_X86_USER_SHADOW_STACK, and a processor that has them",
    "memory at %#lx: tagged memory (flag mt) is not supported": "another processor (arm64)",
    "OpenSSL's code is too far from its end": "a program of more than 2 GiB of code",
    "thread %d is about to draw random numbers": "a thread that is stopped within these five bytes",
    "plugin %s: garbage is being collected just now": "a moment within a collection, whose end is waited for just before the freeze",
    "the code of process %d is not what its list of areas says": "another program under the same addresses, just then",
    "plugin %s has failed before": "who hears that a plugin has failed asks it no more",
    "plugin %s: performance data of %zu bytes for %zu": "an image whose parts belong to two processes",
}


def refusal(words):
    """What a refusal of these words looks like, wherever it stands in a line."""
    return re.compile(".+".join(re.escape(part) for part in CONVERSION.split(words)))


def victim_marks(source):
    """What is special about a victim (victim.h), as it stands behind "victim:" in its first comment."""
    match = re.search(r"victim: (.*?)\s*\*/", source, re.S)
    return re.sub(r"\s*\n \*\s*", " ", match.group(1)) if match else ""


def victim_refused(marks):
    """The words that no snapshot of it is taken with; None: one is taken."""
    match = re.search(r'refused "([^"]+)"', marks)
    return match.group(1) if match else None
