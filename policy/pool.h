/* SPDX-License-Identifier: MIT */
/*
 * Whether an image has a template, how many standbys stand, and which template goes when memory is short. Pure
 * functions: the caller has the clock.
 *
 * A launch that finds its template standing is worth so many bytes for so long (pool_costs.worth). From the idle times
 * so far (policy/arrivals.h) follows, for each stretch of time behind a launch, how likely the next one comes in it,
 * and so whether the memory is worth it there; the template stands in those stretches:
 *
 *     launch ──── kept ────┬──────────── nothing ────────────┬──── kept: the next is expected ────┬── nothing
 *                          given up                           made anew
 *
 * Programs that are launched often are kept from launch to launch (a first piece only), timers have a second piece, and
 * for what is launched too rarely for its size there is none. As long as fewer than POOL_ENOUGH idle times are known,
 * and for what was just published, it is a fixed time instead.
 */
#ifndef WARM_POLICY_POOL_H
#define WARM_POLICY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy/arrivals.h"

#define POOL_USUAL  3
#define POOL_MOST   ARRIVALS_RUSH_MAX
#define POOL_ENOUGH 5

/* One image's history. All zero: never launched. Times are CLOCK_MONOTONIC (or BOOTTIME) in ms, never 0. */
struct pool_history {
	struct arrivals arrivals;
	int pinned;  /* `warm pool SNAP N`: N + 1; 0: not pinned */
	bool before; /* arrivals.last_ms is from before the daemon's start: what was kept then is not, until a launch */
};

struct pool_costs {
	uint64_t template_bytes, standby_bytes; /* standby_bytes: of each one more */
	uint64_t worth;                         /* bytes times ms that a launch may cost which finds its template */
};

/* A share of the budget for ten minutes. */
uint64_t pool_worth(uint64_t budget_bytes);

enum pool_why {
	POOL_NEVER,    /* not launched yet */
	POOL_PINNED,   /* `warm pool` */
	POOL_RECENT,   /* a fixed time behind the last launch */
	POOL_OVER,     /* that time is over */
	POOL_KEPT,     /* behind a launch the next comes soon enough */
	POOL_EXPECTED, /* it comes about now */
	POOL_LATER,    /* it will be */
	POOL_RARE,     /* too rarely for its size */
};

struct pool_wish {
	bool kept; /* the template */
	unsigned standbys;
	enum pool_why why;
	uint64_t from_ms,
	        until_ms; /* behind the last launch: of the present piece, or of the next one for POOL_LATER */
};

/* A launch. make_ms: how long making one standby takes. */
void pool_note_launch(struct pool_history *history, uint64_t now_ms, uint64_t make_ms);

/* It was just published: a launch is expected. */
void pool_note_published(struct pool_history *history, uint64_t now_ms);

/* standing: the template is there, or being made. */
struct pool_wish pool_want(const struct pool_history *history, const struct pool_costs *costs, uint64_t now_ms,
                           bool standing);

/* Of the standbys wanted, what the budget allows. have: standing or being made (they are paid for). */
unsigned pool_afford(unsigned want, unsigned have, uint64_t standby_bytes, uint64_t bytes_left);

#define POOL_WORDS_MAX 128

/* Why, for a user: one line. */
void pool_words(const struct pool_wish *wish, char *buf, size_t size);

struct pool_template {
	struct pool_history history;
	uint64_t bytes; /* the template and its standbys */
};

/* The template to end first, as an index, or -1 where all are pinned. The one whose memory has been of no use the
 * longest. */
int pool_evict(const struct pool_template *templates, size_t n_templates, uint64_t now_ms);

#endif
