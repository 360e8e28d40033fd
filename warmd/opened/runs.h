/* SPDX-License-Identifier: MIT */
/*
 * Who is watched, and which files it has opened so far. A run is a process with all its threads, and its descendants:
 * what a script's helpers read has gone into it, too. A child may be gone before anybody could ask whose it was: such
 * strays are recorded together, and a run that has waited for children is given all that they have read, whosever they
 * were.
 *
 * A file counts when it was read, or opened for reading and writing without being written. What the run has written
 * itself counts as it is in the end; what somebody else changes meanwhile spoils the record.
 */
#ifndef WARM_OPENED_RUNS_H
#define WARM_OPENED_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "proto/rpc.pb-c.h"

struct err;
struct runs;
struct seen;
struct sight;

#define RUN_FILES_MAX 65536
#define RUN_SECONDS   600 /* a program that takes longer to be ready gets no snapshot */

/* sight: asked for names; may be NULL in tests that have none. NULL: out of memory. */
struct runs *runs_new(const struct sight *sight);
void runs_free(struct runs *runs);

/* 0 or -ENOMEM. */
int runs_add(struct runs *runs, uint64_t id, pid_t pid);
void runs_drop(struct runs *runs, uint64_t id);

/* Some are being recorded. */
bool runs_any(const struct runs *runs);

void runs_see(void *runs, const struct seen *seen);

/* Of processes that end: family_fd() and what is behind it. */
int runs_ended_fd(const struct runs *runs);
void runs_note_ended(struct runs *runs);
void runs_drop_ended(struct runs *runs);

/* The records of all that are under way are of no use any more, or only of those that have taken too long. */
void runs_lose(struct runs *runs, const char *reason);
void runs_expire(struct runs *runs, uint64_t now_s);

/* What it has opened, as it is now. Fails where that is not known for certain. The caller frees *ret. */
int runs_list(struct runs *runs, uint64_t id, Warm__Rpc__Opened **ret, struct err *err);

#endif
