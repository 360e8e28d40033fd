/* SPDX-License-Identifier: MIT */
/* Many launches of one program, all started before the first is waited for. */
#ifndef BENCH_SPAWNBENCH_BURST_H
#define BENCH_SPAWNBENCH_BURST_H

#include <stddef.h>
#include <stdint.h>

struct program;

struct burst {
	uint64_t *last_ns; /* n: from the start of the first one to each one's last byte; malloc'ed */
	size_t n_failed;   /* ended otherwise than with 0, or printed something else than the first that was done */
	uint64_t reaped_ns;
};

/* Returns 0 or -errno; the launches that have been started are waited for in any case. */
int burst_run(const struct program *program, size_t n, struct burst *ret);

#endif
