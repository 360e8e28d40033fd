/* SPDX-License-Identifier: MIT */
/*
 * The file locks of a parked clone of a trial. The original holds them, so the clone goes without; but its plan says
 * which it would take, and that is looked at in the restorer's memory.
 */
#ifndef WARM_SNAPSHOT_PLANNED_LOCKS_H
#define WARM_SNAPSHOT_PLANNED_LOCKS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct planned_lock;
struct subject;

struct planned_locks {
	struct planned_lock *lock;
	size_t n;
};

/* While the clone stands in the restorer, whose arena is at this address. *ret is freed by planned_locks_free(), also
 * where this fails. */
int planned_locks_read(const struct subject *clone, uint64_t arena, struct planned_locks *ret, struct err *err);
void planned_locks_free(struct planned_locks *locks);

/* Once the clone's descriptors are collected: those of the held objects `skipped`, which it went without, are put down
 * as if it held them. */
int planned_locks_add(const struct planned_locks *locks, struct subject *clone, uint64_t skipped, struct err *err);

#endif
