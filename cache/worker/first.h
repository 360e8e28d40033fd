/* SPDX-License-Identifier: MIT */
/* Which pages of an image are stored first: those that a launch cannot do without. */
#ifndef WARM_CACHE_WORKER_FIRST_H
#define WARM_CACHE_WORKER_FIRST_H

#include <stddef.h>
#include <stdint.h>

#include "cache/pack.h"

struct err;

/* meta: the image's description; pages_fd: its pages, back to back. *ret_ranges is malloc'ed and the caller's. */
int first_pages(const void *meta, size_t meta_len, int pages_fd, struct pack_range **ret_ranges, size_t *ret_n,
                struct err *err);

#endif
