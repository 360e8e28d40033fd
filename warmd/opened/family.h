/* SPDX-License-Identifier: MIT */
/*
 * Which run a process belongs to: that of its nearest ancestor that has one. Answers are kept, because a child may be
 * gone before its last event is read; but not longer: its number may come again, and mean somebody else. A pid that
 * belonged to nobody is asked again when it executes a program.
 */
#ifndef WARM_OPENED_FAMILY_H
#define WARM_OPENED_FAMILY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct family;

struct family *family_new(void); /* NULL: out of memory */
void family_free(struct family *family);

/* run is not 0. 0 or -ENOMEM. */
int family_add(struct family *family, pid_t pid, uint64_t run);
void family_remove(struct family *family, uint64_t run);

/* Readable when processes have ended of which answers are kept. */
int family_fd(const struct family *family);
/* Those that have ended by now: what they did is in the queue of events. */
void family_note_ended(struct family *family);
/* The queue has been read to its end since: they are forgotten. */
void family_drop_ended(struct family *family);

#define FAMILY_NONE  0
#define FAMILY_STRAY UINT64_MAX /* it is gone, and nobody knows whose child it was */

uint64_t family_of(struct family *family, pid_t pid, bool fresh);

#endif
