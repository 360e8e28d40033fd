/* SPDX-License-Identifier: MIT */
/*
 * Knows whether a file that a published snapshot depends on may have changed, without looking at thousands of files at
 * each launch: inotify marks the suspects, a launch looks at those. Where inotify is blind a launch looks each time.
 *
 *     event ──► suspect ──► watch_set_check(): stat ──► as it was: trusted again
 *                                                  └──► changed: the snapshot goes
 *
 * inotify sees no write through a shared mapping. What the program had open or mapped for writing is looked at in each
 * launch, too; of what it only read watch_set_sweep() looks at everything, a few files at a time, and a launch does at
 * once where nobody has swept.
 */
#ifndef WARM_WARMD_WATCH_H
#define WARM_WARMD_WATCH_H

#include <stddef.h>
#include "proto/rpc.pb-c.h"

struct daemon;
struct err;
struct watch;
struct watch_set;

int watch_new(struct daemon *daemon, struct watch **ret, struct err *err);
void watch_free(struct watch *watch);

/* Takes in what inotify has to say. To be called before a lookup. */
void watch_drain(struct watch *watch);

/* The files of one snapshot; `file` stays the caller's and must outlive the set. All are suspects at first.
 * NULL: out of memory. */
struct watch_set *watch_set_new(struct watch *watch, Warm__Rpc__File *const *file, size_t n_file);
void watch_set_free(struct watch_set *set);

/* The next check looks at all of them, whatever inotify says. */
void watch_set_suspect(struct watch_set *set);

/* 0: all files are as they were. 1: *reason names the one that is not. */
int watch_set_check(struct watch_set *set, char *reason, size_t size);

/* Looks at the next n files, whatever inotify says. As watch_set_check(). */
int watch_set_sweep(struct watch_set *set, size_t n, char *reason, size_t size);

#endif
