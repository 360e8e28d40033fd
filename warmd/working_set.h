/* SPDX-License-Identifier: MIT */
/*
 * What launches of a snapshot touch. The first few launches after start are watched (warm-snap --touched: from outside,
 * the clone sees nothing of it), each from before it began, as a short program is over before anybody could look; from
 * then on each standby touches the union before it parks, and a launch pays for no page fault that was foreseen. Kept
 * in memory: a daemon that starts anew learns it again.
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
	unsigned n_records, n_tries;
	struct worker *worker; /* somebody watches */
	pid_t watched;         /* a standby, or what it has become */
	bool launched;
	int fd; /* its result */
};

void working_set_init(struct working_set *set);
void working_set_fini(struct working_set *set);

/* A standby has parked: watches it from now on, where more is to be learnt and no other one is watched. */
void working_set_parked(struct entry *entry, pid_t pid);

/* Whether it is this one that should be launched next. */
bool working_set_watches(const struct working_set *set, pid_t pid);

/* A clone has just been launched. One that was not watched so far is from now on, as if it had just parked. */
void working_set_launched(struct entry *entry, pid_t pid);

/* Bytes of pages that a standby makes its own. */
uint64_t working_set_bytes(const struct working_set *set);

#endif
