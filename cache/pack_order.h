/* SPDX-License-Identifier: MIT */
/*
 * In which order the pages of an image are stored: those of the `first` ranges, ascending, then all others, ascending.
 * Both parts are cut into blocks of PACK_BLOCK_PAGES pages; the last block of each may be short. Pure.
 */
#ifndef WARM_CACHE_PACK_ORDER_H
#define WARM_CACHE_PACK_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/pack.h"

/* Pages that lie behind each other in the file and in the numbering. */
struct pack_segment {
	uint64_t position; /* in the order of storage, of the first page */
	uint64_t page, pages;
};

struct pack_order {
	uint64_t n_pages, n_first;
	struct pack_segment *segment; /* ascending positions; both parts have ascending pages */
	size_t n_segments, n_first_segments;
};

/* -EINVAL: the ranges are empty, overlap, do not ascend or go beyond n_pages; -ENOMEM. */
int pack_order_init(struct pack_order *order, uint64_t n_pages, const struct pack_range *first, size_t n_first);
void pack_order_fini(struct pack_order *order);

uint64_t pack_order_blocks(const struct pack_order *order);
uint64_t pack_order_first_blocks(const struct pack_order *order);

/* First position and number of pages of a block. */
uint64_t pack_order_block(const struct pack_order *order, uint64_t block, unsigned *ret_pages);

/* The page at this position, and how many from it on follow each other, at most `most`. */
uint64_t pack_order_page(const struct pack_order *order, uint64_t position, unsigned most, unsigned *ret_pages);

/* Where a page is stored: block, and index in it. page < n_pages. */
uint64_t pack_order_find(const struct pack_order *order, uint64_t page, unsigned *ret_index);

#endif
