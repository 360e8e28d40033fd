/* SPDX-License-Identifier: MIT */
#include "cache/worker/first.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "proto/first.h"
#include "proto/image.pb-c.h"

#define SMALL_PAGES 512u /* an image of so many pages (2 MiB) is quicker read whole than asked for in pieces */

struct list {
	struct pack_range *range;
	size_t n, room;
};

static int add(struct list *list, uint64_t page, uint64_t pages)
{
	struct pack_range *last = list->n ? &list->range[list->n - 1] : NULL;

	if (last && last->page + last->pages == page) {
		last->pages += pages;
		return 0;
	}
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct pack_range *more = reallocarray(list->range, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->range = more;
		list->room = room;
	}
	list->range[list->n++] = (struct pack_range){page, pages};
	return 0;
}

static uint64_t count(const Warm__Image__Image *image)
{
	uint64_t n = 0;

	for (size_t i = 0; i < image->n_run_pages; i++)
		n += image->run_pages[i];
	return n;
}

/* Runs and areas ascend, and no run reaches beyond its area. */
static int choose(const Warm__Image__Image *image, struct list *list)
{
	bool small = count(image) <= SMALL_PAGES;
	uint64_t page = 0;
	size_t area = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_run_addr && i < image->n_run_pages; i++) {
		while (area < image->n_vma && image->vma[area]->end <= image->run_addr[i])
			area++;
		if (small || area == image->n_vma || !area_can_wait(image->vma[area]))
			r = add(list, page, image->run_pages[i]);
		page += image->run_pages[i];
	}
	return r;
}

int first_pages(const void *meta, size_t meta_len, struct pack_range **ret_ranges, size_t *ret_n, struct err *err)
{
	Warm__Image__Image *image = warm__image__image__unpack(NULL, meta_len, meta);
	struct list list = {0};
	int r;

	if (!image)
		return err_set(err, EINVAL, "the description of the captured image cannot be decoded");
	r = choose(image, &list);
	warm__image__image__free_unpacked(image, NULL);
	if (r < 0) {
		free(list.range);
		return err_sys(err, -r, "the list of first pages");
	}
	*ret_ranges = list.range;
	*ret_n = list.n;
	return 0;
}
