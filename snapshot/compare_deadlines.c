/* SPDX-License-Identifier: MIT */
/* Deadlines that threads wait for: each is as far away as it was (restore/plan_deadlines.c). */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "proto/rop.h"
#include "snapshot/compare.h"

#define PAGE 4096u
#define NS   INT64_C(1000000000)

typedef Warm__Image__Image image_t;

bool image_bytes(const image_t *want, const char *pages, uint64_t addr, void *buf, size_t len)
{
	for (size_t i = 0; i < want->n_run_addr; i++) {
		uint64_t start = want->run_addr[i], run = (uint64_t)want->run_pages[i] * PAGE;

		if (addr >= start && addr + len <= start + run) {
			memcpy(buf, pages + (addr - start), len);
			return true;
		}
		pages += run;
	}
	return false;
}

/* The restorer leaves alone what is no time, and what never comes. */
static bool moves(const struct timespec *at)
{
	return at->tv_sec >= 0 && at->tv_sec <= DEADLINE_FAR_S && at->tv_nsec >= 0 && at->tv_nsec < NS;
}

static int64_t not_below_0(int64_t ns)
{
	return ns < 0 ? 0 : ns;
}

static int compare_deadline(const Warm__Image__Deadline *d, const struct timespec *was, const struct timespec *is,
                            const struct compared *clone, struct err *err)
{
	const int64_t moved_ns = (is->tv_sec - was->tv_sec) * NS + is->tv_nsec - was->tv_nsec;
	struct timespec now;
	int64_t least = 0, most = 0;

	if (moves(was)) {
		clock_gettime(d->clock, &now);
		most = now.tv_sec * NS + now.tv_nsec - d->now_ns;
		least = not_below_0(most - compared_way_ns(clone));
		most = not_below_0(most);
	}
	if (moved_ns >= least && moved_ns <= most)
		return 0;
	return err_set(err, EUCLEAN, "the deadline at %#lx has moved by %ld us, not %ld to %ld",
	               (unsigned long)d->address, (long)(moved_ns / 1000), (long)(least / 1000), (long)(most / 1000));
}

int compare_deadlines(const image_t *want, const char *pages, const struct compared *clone, int mem, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < want->n_deadline; i++) {
		const Warm__Image__Deadline *d = want->deadline[i];
		struct timespec was, is;

		if (!image_bytes(want, pages, d->address, &was, sizeof(was)))
			continue;
		if (pread(mem, &is, sizeof(is), (off_t)d->address) != (ssize_t)sizeof(is))
			return err_sys(err, errno, "read the clone's deadline at %#lx", (unsigned long)d->address);
		r = compare_deadline(d, &was, &is, clone, err);
	}
	return r;
}
