/* SPDX-License-Identifier: MIT */
/*
 * How many standbys stand, and which template goes when memory is short. Pure functions: the caller has the clock.
 */
#ifndef WARM_POLICY_POOL_H
#define WARM_POLICY_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_USUAL 3
#define POOL_MOST  8

/* One image's history. All zero: never launched. Times are CLOCK_MONOTONIC (or BOOTTIME) in ms, never 0. */
struct pool_history {
	uint64_t last_ms;     /* of the last launch, or of publishing */
	uint64_t interval_ms; /* smoothed time between launches, 0: not known */
	int pinned;           /* `warm pool SNAP N`: N + 1; 0: not pinned */
};

/* A launch, or the image was just published (a launch is expected). */
void pool_note_launch(struct pool_history *history, uint64_t now_ms);

/* Number of standbys wanted now. have: standing or being made; make_ms: how long making one takes; standby_bytes: what
 * one holds; bytes_left: of the budget (standbys that stand already are paid for). */
unsigned pool_want(const struct pool_history *history, uint64_t now_ms, unsigned have, uint64_t make_ms,
                   uint64_t standby_bytes, uint64_t bytes_left);

/* When pool_want() may change next without a launch, in ms from now; UINT64_MAX: never. */
uint64_t pool_next_change_ms(const struct pool_history *history, uint64_t now_ms);

struct pool_template {
	struct pool_history history;
	uint64_t bytes; /* the template and its standbys */
};

/* The template to end first, as an index, or -1 where all are pinned. The one whose memory has been of no use the
 * longest. */
int pool_evict(const struct pool_template *templates, size_t n_templates, uint64_t now_ms);

#endif
