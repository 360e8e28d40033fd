/* SPDX-License-Identifier: MIT */
/* Several threads on the blocks of one image: each takes the next one; the first error stops all. */
#ifndef WARM_CACHE_PACK_CREW_H
#define WARM_CACHE_PACK_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pack_crew {
	/* scratch: scratch_len bytes, each thread's own, zeroes at first. Negative: err is set. */
	int (*work)(struct pack_crew *crew, void *scratch, uint64_t block, struct err *err);
	void *arg; /* the callee's own */
	size_t scratch_len;
	uint64_t n_blocks;

	atomic_uint_fast64_t next; /* the rest is the crew's: zero at first */
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	uint64_t turn_of;
	struct err err;
};

/* The caller's thread is one of the n_threads; where no other can be had it does all the work. Returns when all blocks
 * are done, or the first error. */
int pack_crew_run(struct pack_crew *crew, unsigned n_threads, struct err *err);

/* For work that must happen in the order of blocks: waits until all before this one have called pack_crew_next().
 * Returns with the crew's lock held; -ECANCELED, without it, where another has failed. */
int pack_crew_wait(struct pack_crew *crew, uint64_t block);
void pack_crew_next(struct pack_crew *crew);

#endif
