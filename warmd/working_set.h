/* SPDX-License-Identifier: MIT */
/*
 * What launches of a snapshot touch. The first few launches after start are watched (warm-snap --touched: from outside,
 * the clone sees nothing of it); from then on each standby touches the union before it parks, and a launch pays for no
 * page fault that was foreseen. Kept in memory: a daemon that starts anew learns it again.
 */
#ifndef WARM_WARMD_WORKING_SET_H
#define WARM_WARMD_WORKING_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct entry;
struct standby;
struct touch;
struct worker;

struct working_set {
	struct touch *touch; /* ascending by address within each advice */
	size_t n;
	unsigned n_records, n_tries; /* a program that ends at once leaves nothing to see */
	struct worker *worker;       /* a recording under way */
	int fd;                      /* its result */
};

void working_set_init(struct working_set *set);
void working_set_fini(struct working_set *set);

/* A clone has just been launched: watches it, where more is to be learnt. */
void working_set_launched(struct entry *entry, pid_t pid);

/* Bytes of pages that a standby makes its own. */
uint64_t working_set_bytes(const struct working_set *set);

#endif
