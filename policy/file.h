/* SPDX-License-Identifier: MIT */
/*
 * Whether a file that a snapshot depends on is still what it was. Pure functions: the caller does the stat(2) and reads
 * the directory.
 */
#ifndef WARM_POLICY_FILE_H
#define WARM_POLICY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"
#include "proto/rpc.pb-c.h"

struct stat;

/* Notes what st says in the numbers of *file; path, suffix and names_digest are left alone. */
void file_note(Warm__Rpc__File *file, const struct stat *st);

/*
 * 0, or 1 with *reason filled ("/srv/app/views.py changed", "... is gone"). st: NULL where stat failed with ENOENT or
 * ENOTDIR. names: of a directory as it is now, else NULL.
 * A directory is one whose names_digest is not empty: its names count, its times do not (caches are written into it).
 */
int file_compare(const Warm__Rpc__File *file, const struct stat *st, const struct digest *names, char *reason,
                 size_t reason_size);

/* The digest of a directory's names that count, whatever their order: init, add each entry (no "." and ".."), compare.
 */
void file_names_init(struct digest *names);
void file_names_add(struct digest *names, char *const *suffix, size_t n_suffix, const char *name, bool is_dir);

#endif
