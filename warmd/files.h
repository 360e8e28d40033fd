/* SPDX-License-Identifier: MIT */
/*
 * The files that a snapshot depends on: looked at (stat, names of a directory) and compared. Missing files are noted as
 * such (ino 0): that one of them appears is a change too.
 */
#ifndef WARM_WARMD_FILES_H
#define WARM_WARMD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/rpc.pb-c.h"

/* Fills numbers and names_digest of *file (malloc'ed) as the file is now. 0 or -errno; a missing file is 0. */
int file_look(Warm__Rpc__File *file);

/* 0: as it was; 1: it is not, and *reason says how. */
int file_check(const Warm__Rpc__File *file, char *reason, size_t size);

/* Whether it, or for a directory one of the names that count, came or changed after since_ns (CLOCK_REALTIME). */
bool file_newer(const Warm__Rpc__File *file, int64_t since_ns, char *which, size_t size);

/* Whether inotify sees nothing there: network and layered file systems. */
bool file_blind(const char *path);

#endif
