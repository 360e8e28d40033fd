# SPDX-License-Identifier: MIT
"""What is measured on: what decides how fast it is, and nothing that names it."""

import os


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": os.uname().release, "memory_gib": round(gib)}


def text_of(kind):
    return f"{kind['cpu']}, {kind['cpus']} CPUs, {kind['memory_gib']} GiB, Linux {kind['kernel']}"


def load():
    """Of the last minute: how many others wanted a processor."""
    return round(os.getloadavg()[0], 2)
