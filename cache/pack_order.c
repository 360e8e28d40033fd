/* SPDX-License-Identifier: MIT */
#include "cache/pack_order.h"

#include <errno.h>
#include <stdlib.h>

static void add(struct pack_order *order, uint64_t *position, uint64_t page, uint64_t end)
{
	if (page == end)
		return;
	order->segment[order->n_segments++] = (struct pack_segment){*position, page, end - page};
	*position += end - page;
}

int pack_order_init(struct pack_order *order, uint64_t n_pages, const struct pack_range *first, size_t n_first)
{
	uint64_t position = 0, page = 0;

	*order = (struct pack_order){.n_pages = n_pages};
	if (n_first > n_pages)
		return -EINVAL;
	for (size_t i = 0; i < n_first; i++) {
		if (first[i].pages == 0 || first[i].page < page || first[i].page > n_pages ||
		    first[i].pages > n_pages - first[i].page)
			return -EINVAL;
		page = first[i].page + first[i].pages;
	}
	order->segment = calloc(2 * n_first + 1, sizeof(*order->segment));
	if (!order->segment)
		return -ENOMEM;
	for (size_t i = 0; i < n_first; i++)
		add(order, &position, first[i].page, first[i].page + first[i].pages);
	order->n_first = position;
	order->n_first_segments = order->n_segments;
	page = 0;
	for (size_t i = 0; i < n_first; i++) {
		add(order, &position, page, first[i].page);
		page = first[i].page + first[i].pages;
	}
	add(order, &position, page, n_pages);
	return 0;
}

void pack_order_fini(struct pack_order *order)
{
	free(order->segment);
	*order = (struct pack_order){0};
}

static uint64_t blocks_of(uint64_t n_pages)
{
	return n_pages / PACK_BLOCK_PAGES + (n_pages % PACK_BLOCK_PAGES != 0);
}

uint64_t pack_order_first_blocks(const struct pack_order *order)
{
	return blocks_of(order->n_first);
}

uint64_t pack_order_blocks(const struct pack_order *order)
{
	return blocks_of(order->n_first) + blocks_of(order->n_pages - order->n_first);
}

uint64_t pack_order_block(const struct pack_order *order, uint64_t block, unsigned *ret_pages)
{
	uint64_t n_first_blocks = pack_order_first_blocks(order), position, end;

	if (block < n_first_blocks) {
		position = block * PACK_BLOCK_PAGES;
		end = order->n_first;
	} else {
		position = order->n_first + (block - n_first_blocks) * PACK_BLOCK_PAGES;
		end = order->n_pages;
	}
	*ret_pages = end - position < PACK_BLOCK_PAGES ? (unsigned)(end - position) : PACK_BLOCK_PAGES;
	return position;
}

/* The last segment, from..to - 1, that begins at or before `key`: by position, or by page within one part. */
static const struct pack_segment *segment_of(const struct pack_order *order, size_t from, size_t to, uint64_t key,
                                             bool by_page)
{
	size_t low = from, high = to;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pack_segment *segment = &order->segment[middle];

		if ((by_page ? segment->page : segment->position) <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low > from ? &order->segment[low - 1] : NULL;
}

uint64_t pack_order_page(const struct pack_order *order, uint64_t position, unsigned most, unsigned *ret_pages)
{
	const struct pack_segment *segment = segment_of(order, 0, order->n_segments, position, false);
	uint64_t into = position - segment->position, left = segment->pages - into;

	*ret_pages = left < most ? (unsigned)left : most;
	return segment->page + into;
}

uint64_t pack_order_find(const struct pack_order *order, uint64_t page, unsigned *ret_index)
{
	const struct pack_segment *segment = segment_of(order, 0, order->n_first_segments, page, true);
	uint64_t position;

	if (!segment || page >= segment->page + segment->pages)
		segment = segment_of(order, order->n_first_segments, order->n_segments, page, true);
	position = segment->position + (page - segment->page);
	if (position < order->n_first) {
		*ret_index = (unsigned)(position % PACK_BLOCK_PAGES);
		return position / PACK_BLOCK_PAGES;
	}
	position -= order->n_first;
	*ret_index = (unsigned)(position % PACK_BLOCK_PAGES);
	return pack_order_first_blocks(order) + position / PACK_BLOCK_PAGES;
}
