# SPDX-License-Identifier: MIT
"""The hook's messages of proto/rpc.proto, written by hand."""

import os

COLD, RESUMED, RESTORED, PENDING, UNWANTED = 0, 1, 2, 3, 4   # Hook.outcome

MAGIC = b"WRMP"
MESSAGE_MAX = 131072

# Request
READY, DEPENDS, HELLO = 1, 2, 12
# Ready
HOOK_FD, ARGV_FROM_LAUNCH, FIXED_ARGS, CWD_FROM_LAUNCH, ENV_FROM_LAUNCH, SDK = 1, 2, 3, 4, 5, 6
# Depends, Dependency
ITEM = 1
PATH, SUFFIX = 1, 2
# Reply, Hook
HOOK = 3
OUTCOME, ARGV, ENV, GENERATION, LAUNCH_FIXED_ARGS, ENV_CHANGE = 1, 3, 4, 6, 7, 8


def ready_request(hook_fd, argv, fixed_args, cwd, env):
    body = (number(HOOK_FD, hook_fd) + number(ARGV_FROM_LAUNCH, bool(argv)) + number(FIXED_ARGS, fixed_args)
            + number(CWD_FROM_LAUNCH, bool(cwd)) + b"".join(text(ENV_FROM_LAUNCH, name) for name in env)
            + text(SDK, "python 1"))
    return MAGIC + text(READY, body)


def depends_requests(dependencies):
    """As few datagrams as hold them all."""
    body = bytearray()
    encoded = {}        # there are two or three different lists of suffixes
    for path, suffixes in dependencies:
        if suffixes not in encoded:
            encoded[suffixes] = b"".join(text(SUFFIX, suffix) for suffix in suffixes)
        item = text(ITEM, text(PATH, path) + encoded[suffixes])
        if body and len(body) + len(item) > MESSAGE_MAX - 16:
            yield MAGIC + text(DEPENDS, bytes(body))
            body.clear()
        body += item
    if body:
        yield MAGIC + text(DEPENDS, bytes(body))


# ---- protobuf: each field is a varint (number << 3 | type), then its value ------------------------------------------

def number(field, value):
    return varint(field << 3) + varint(int(value)) if value else b""


def text(field, value):
    if not isinstance(value, bytes):
        value = os.fsencode(value)
    return varint(field << 3 | 2) + varint(len(value)) + value


def varint(value):
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data):
    """Yields (number, int or bytes)."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind in (1, 2, 5):
            size, at = read_varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value = data[at:at + size]
            at += size
            if at > len(data):
                raise ValueError("reply is cut off")
        else:
            raise ValueError("reply has a field of an unknown type")
        yield key >> 3, value


def read_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("reply is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7
