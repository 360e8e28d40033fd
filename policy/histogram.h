/* SPDX-License-Identifier: MIT */
/*
 * Latencies from 1 us to 134 s in buckets that are at most 1/16 wide: count, p50, p90, p99. All zero is empty.
 */
#ifndef WARM_POLICY_HISTOGRAM_H
#define WARM_POLICY_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 384

struct histogram {
	uint64_t count;
	uint64_t sum_us;
	uint32_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t us);

/* The latency that `percent` of all stay within, in us; 0 where there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned percent);

#endif
