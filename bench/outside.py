# SPDX-License-Identifier: MIT
"""What measuring needs from the machine."""

import os

from errors import Skip

DROP = "/proc/sys/vm/drop_caches"
IN_MEMORY = ("tmpfs", "ramfs", "overlay")


def drop_page_cache(folder):
    """Of the whole machine. folder: where the files lie that are to be read from the disk."""
    if not os.access(DROP, os.W_OK):
        raise Skip(f"{DROP} cannot be written to")
    if file_system(folder) in IN_MEMORY:
        raise Skip(f"{folder} is on no disk")
    os.sync()
    with open(DROP, "w", encoding="ascii") as file:
        file.write("1\n")


def file_system(folder):
    """Its type."""
    found = ("", "")
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            _, place, kind = line.split()[:3]
            inside = folder == place or folder.startswith(place.rstrip("/") + "/")
            if inside and len(place) >= len(found[0]):
                found = (place, kind)
    return found[1]


def read_all(folder):
    """Brings all files below it into the page cache."""
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                while file.read(1 << 20):
                    pass
