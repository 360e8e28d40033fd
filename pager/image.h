/* SPDX-License-Identifier: MIT */
/*
 * The images that clones are served from, each open once whatever number of clones it has, and one cache of
 * decompressed blocks for all of them, bounded in bytes: what was used last stays.
 */
#ifndef WARM_PAGER_IMAGE_H
#define WARM_PAGER_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "cache/pack.h"
#include "pager/owed.h"

struct err;
struct image;

struct block {
	TAILQ_ENTRY(block) by_use; /* the last one first; or one of the unused ones */
	LIST_ENTRY(block) same;    /* in its bucket */
	const struct image *image;
	uint64_t number;
	unsigned n_pages;
	uint64_t page[PACK_BLOCK_PAGES]; /* their numbers, ascending */
	uint8_t *data;
};

TAILQ_HEAD(block_list, block);
LIST_HEAD(block_bucket, block);

struct images {
	LIST_HEAD(image_list, image) list;
	size_t n;
	uint8_t *area; /* of all blocks: taken from its beginning on, as many as were ever needed at once */
	struct block *block;
	struct block_bucket *bucket;
	struct block_list used, unused;
	size_t n_blocks, most_blocks;
};

/* cache_bytes: for blocks; there is room for one in any case. What it takes is kept until the process ends. */
int images_init(struct images *images, uint64_t cache_bytes);

/* Takes fd, whatever comes of it. label: what errors call the image. Each image_get() has its image_put(). */
int image_get(struct images *images, int fd, const char *label, struct image **ret, struct err *err);
void image_put(struct images *images, struct image *image);

/* All of its pages, at the addresses that they had when it was made. */
const struct owed *image_pages(const struct image *image);

/* The block that has this page, verified, and which of its pages it is. Good until the next call. */
int image_block(struct images *images, struct image *image, uint64_t page, const struct block **ret,
                unsigned *ret_index, struct err *err);

#endif
