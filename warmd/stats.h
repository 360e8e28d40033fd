/* SPDX-License-Identifier: MIT */
/*
 * Counters and latencies of launches since warmd started.
 */
#ifndef WARM_WARMD_STATS_H
#define WARM_WARMD_STATS_H

#include <stdint.h>
#include "policy/histogram.h"
#include "proto/launch.h"

struct daemon;
struct client;

#define STATS_TIERS       4
#define STATS_REASONS_MAX 64
#define STATS_REASON_LEN  80

struct stats_reason {
	char text[STATS_REASON_LEN]; /* without what is particular to one launch */
	uint64_t count;
};

struct stats {
	uint64_t launches[STATS_TIERS]; /* by enum launch_tier */
	struct histogram us[STATS_TIERS];
	struct stats_reason reason[STATS_REASONS_MAX]; /* the last one gathers what has no room */
	unsigned n_reasons;
};

void stats_launch(struct stats *stats, enum launch_tier tier, uint64_t us);

/* A launch that was not hot, and why. */
void stats_fallback(struct stats *stats, const char *reason);

/* Answers `warm stats`. */
void stats_send(struct daemon *daemon, struct client *client);

#endif
