/* SPDX-License-Identifier: MIT */
/*
 * The text of /proc/PID/smaps: all areas of a process. The kernel walks through all of its page tables for it, so a
 * thread reads it, while the others' calls in the program's name are waited for; and as new memory takes a fault for
 * each of its pages, it has its place before anybody is stopped.
 */
#ifndef WARM_SNAPSHOT_SMAPS_H
#define WARM_SNAPSHOT_SMAPS_H

struct err;
struct subject;

/* Before the freeze. */
int smaps_prepare(struct subject *s, struct err *err);

/* From here on it is being read. The process stands still, with all areas that are to be seen. */
void smaps_begin(struct subject *s);

/* *ret: the text, which the subject owns, and which may be written to. Without what comes before it is read here. */
int smaps_end(struct subject *s, char **ret, struct err *err);

/* At any time; NULL: nothing. */
struct smaps;
void smaps_free(struct smaps *smaps);

#endif
