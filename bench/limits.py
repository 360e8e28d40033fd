# SPDX-License-Identifier: MIT
"""What has to be reached, by the names of rows: the table by which work on Warm is judged."""

import collections

# value: of the row's ratio, or of its median where it is compared with nothing. p99: of the ratio of its p99 to /bin/true's.
Limit = collections.namedtuple("Limit", "value p99 at_least", defaults=[None, False])

ISOLATED = 2        # 1.5 s of idleness before each launch may double the ratio
P99_WANTS = 100     # p99 of fewer values than that is not judged

LIMITS = {
    "native-hot, ready": Limit(0.6, 3),
    "django-hot, ready": Limit(0.9, 3),
    "node-hot, ready": Limit(1.5, 3),
    "jvm-hot, ready": Limit(2.0, 3),
    "native-hot, answer - own": Limit(0.6),
    "django-hot, answer - own": Limit(1.5),
    "node-hot, answer - own": Limit(2.5),
    "jvm-hot, answer - own": Limit(2.5),
    "large-hot, ready, against 64 MiB": Limit(1.2),
    "django-template, ready": Limit(4),
    "jvm-template, ready": Limit(8),
    "native-restore, ready": Limit(2),
    "django-restore, ready": Limit(6),
    "jvm-restore, ready": Limit(12),
    "large-restore, ready": Limit(3),
    "native-restore, answer - own": Limit(2.5),
    "django-restore, answer - own": Limit(8),
    "jvm-restore, answer - own": Limit(14),
    "large-restore, answer - own": Limit(40),
    "django-uncached, answer, against the cold start": Limit(0.15),
    "jvm-uncached, answer, against the cold start": Limit(0.15),
    "burst of 100, the last answer": Limit(600),
    "burst of 1, failed": Limit(0),
    "burst of 10, failed": Limit(0),
    "burst of 100, failed": Limit(0),
    "burst of 1000, failed": Limit(0),
    "rate, launches, against the fork server": Limit(0.8, at_least=True),
    "django-memory, private, against a fork": Limit(1.2),
    "jvm-memory, private": Limit(12),
    "django-standby, private": Limit(7),
    "jvm-standby, private": Limit(16),
    "native-stopped, 256 MiB": Limit(20),
    "django-stopped": Limit(15),
    "jvm-stopped": Limit(30),
    "script-first-line": Limit(1.5),
    "stopped, 300 threads, against 10": Limit(10),
}


def limit_of(name):
    """The limit of a row, with what its mode allows; None: there is none."""
    for mode, factor in ((", back to back", 1), (", isolated", ISOLATED), ("", 1)):
        if name.endswith(mode) and name[:len(name) - len(mode)] in LIMITS:
            limit = LIMITS[name[:len(name) - len(mode)]]
            return limit._replace(value=limit.value * factor)
    return None
