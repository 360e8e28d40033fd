/* SPDX-License-Identifier: MIT */
#include "policy/histogram.h"

/* Values below 16 have a bucket each; above, every power of two is divided into 16. */
#define SUB_BITS 4
#define SUB      (1u << SUB_BITS)

static unsigned bucket_of(uint64_t us)
{
	unsigned top, bucket;

	if (us < SUB)
		return (unsigned)us;
	top = 63u - (unsigned)__builtin_clzll(us); /* the highest bit, 4 or more */
	bucket = (top - SUB_BITS + 1) * SUB + (unsigned)((us >> (top - SUB_BITS)) & (SUB - 1));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into it. */
static uint64_t bucket_end(unsigned bucket)
{
	unsigned shift;

	if (bucket < SUB)
		return bucket;
	shift = bucket / SUB - 1;
	return ((uint64_t)(SUB + bucket % SUB + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t us)
{
	histogram->count++;
	histogram->sum_us += us;
	histogram->bucket[bucket_of(us)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned percent)
{
	uint64_t rank = (histogram->count * percent + 99) / 100, seen = 0;

	if (histogram->count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->bucket[i];
		if (seen >= rank)
			return bucket_end(i);
	}
	return bucket_end(HISTOGRAM_BUCKETS - 1);
}
