/* SPDX-License-Identifier: MIT */
/*
 * The files of a record, while they are gathered. Private to warmd/record*.c. Messages built here end in
 * ..._free_unpacked(): every string in them is malloc'ed.
 */
#ifndef WARM_WARMD_RECORD_INTERNAL_H
#define WARM_WARMD_RECORD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/rpc.pb-c.h"

struct err;
struct first_run;

struct record_files {
	Warm__Rpc__File **file;
	size_t n, room;
};

char **record_strings(char *const *list, size_t n);

/* NULL: out of memory. */
Warm__Rpc__File *record_file_new(const char *path, char *const *suffix, size_t n_suffix);
/* Takes the file where it succeeds. Of one that is NULL it says that there is no memory. */
int record_files_add(struct record_files *list, Warm__Rpc__File *file, struct err *err);

/* The command, what was mapped or open (taken out of the summary), what the hook declared. */
int record_files_gather(struct record_files *list, const char *cmd, Warm__Rpc__Summary *summary,
                        Warm__Rpc__Depends *const *depends, size_t n_depends, struct err *err);
/* What was recorded, taken out of opened. */
int record_files_gather_opened(struct record_files *list, const Warm__Rpc__Summary *summary, Warm__Rpc__Opened *opened,
                               struct err *err);
/*
 * The names of the launch that lead to files on the list by way of a symbolic link. recorded: what the program has
 * opened is on the list; where it is not, the regular files that it was given by name are added, too.
 */
int record_files_gather_named(struct record_files *list, const struct first_run *run,
                              const Warm__Rpc__Conditions *conditions, bool recorded, struct err *err);
/* The directories that lead to all of them, for who might be kept out there: it was let through. */
int record_files_gather_searched(struct record_files *list, const Warm__Rpc__Conditions *conditions, struct err *err);

/* Each once, the command (cmd) first. Refused where two do not agree. */
int record_files_settle(struct record_files *list, const char *cmd, struct err *err);
/* Refused where one has changed since then (CLOCK_REALTIME), and not by the run itself. opened may be NULL. */
int record_files_check_times(const struct record_files *list, const Warm__Rpc__Opened *opened, int64_t since_ns,
                             struct err *err);

#endif
