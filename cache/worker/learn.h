/* SPDX-License-Identifier: MIT */
/* Which pages of an image are stored first from now on: those that were, and what a launch has asked the pager for. */
#ifndef WARM_CACHE_WORKER_LEARN_H
#define WARM_CACHE_WORKER_LEARN_H

#include <stddef.h>
#include <stdint.h>

#include "cache/pack.h"

struct err;

struct learnt {
	struct pack_range *first; /* malloc'ed, the caller's */
	size_t n_first;
	uint64_t n_new; /* pages that were not among the first before */
};

/* known: how many of the image's first pages are there because launches asked for them. log_fd: struct pager_served
 * (proto/pager.h), from offset 0 on. */
int learn_pages(const struct pack *pack, const void *meta, size_t meta_len, uint64_t known, int log_fd,
                struct learnt *ret, struct err *err);

#endif
