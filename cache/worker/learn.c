/* SPDX-License-Identifier: MIT */
#include "cache/worker/learn.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/image.pb-c.h"
#include "proto/pager.h"

#define LEARN_PAGES 4096u /* as many are put in front (16 MiB), */
#define LEARN_SHARE                                                                                                    \
	4u /* or a quarter of the image, where that is more: to place what is not needed takes time, too               \
	    */

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The run that has this address; runs ascend. Returns false where nothing is stored there. */
static bool page_at(const Warm__Image__Image *image, const uint64_t *run_page, uint64_t addr, uint64_t *ret)
{
	size_t low = 0, high = image->n_run_addr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (image->run_addr[middle] <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || (addr - image->run_addr[low - 1]) / PACK_PAGE >= image->run_pages[low - 1])
		return false;
	*ret = run_page[low - 1] + (addr - image->run_addr[low - 1]) / PACK_PAGE;
	return true;
}

static bool is_first(const struct pack *pack, uint64_t page)
{
	struct pack_spot spot;

	return !pack_find(pack, page, &spot) || spot.first;
}

/* In the order of the list, which is that of the launch: where there is no room for all, what is needed first has it.
 */
static size_t choose(const struct pack *pack, const Warm__Image__Image *image, const uint64_t *run_page,
                     const struct pager_served *served, size_t n_served, uint64_t room, uint64_t *page)
{
	size_t n = 0, out = 0;

	for (size_t i = 0; i < n_served && n < room; i++)
		if (page_at(image, run_page, served[i].addr, &page[n]) && !is_first(pack, page[n]))
			n++;
	if (n)
		qsort(page, n, sizeof(*page), by_number);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || page[i] != page[out - 1])
			page[out++] = page[i];
	return out;
}

static void add(struct learnt *learnt, uint64_t page, uint64_t pages)
{
	struct pack_range *last = learnt->n_first ? &learnt->first[learnt->n_first - 1] : NULL;

	if (last && page <= last->page + last->pages)
		last->pages = page + pages - last->page;
	else
		learnt->first[learnt->n_first++] = (struct pack_range){page, pages};
}

/* Both ascend, and have no page in common. */
static int merge(const struct pack *pack, const uint64_t *page, size_t n_pages, struct learnt *learnt)
{
	const struct pack_range *old;
	size_t n_old = pack_first(pack, &old), i = 0, j = 0;

	learnt->first = calloc(n_old + n_pages + 1, sizeof(*learnt->first));
	if (!learnt->first)
		return -ENOMEM;
	while (i < n_old || j < n_pages) {
		if (j == n_pages || (i < n_old && old[i].page < page[j])) {
			add(learnt, old[i].page, old[i].pages);
			i++;
		} else {
			add(learnt, page[j++], 1);
		}
	}
	learnt->n_new = n_pages;
	return 0;
}

static int read_log(int log_fd, struct pager_served **ret, size_t *ret_n, struct err *err)
{
	size_t room = (PAGER_RECORD_MAX + 1) * sizeof(**ret);
	CLEAN(free) struct pager_served *served = malloc(room);
	ssize_t len;

	if (!served)
		return err_sys(err, ENOMEM, "a list of pages");
	len = fd_pread_full(log_fd, served, room, 0);
	if (len < 0)
		return err_sys(err, (int)-len, "read the list of pages");
	*ret_n = (size_t)len / sizeof(*served);
	*ret = take_ptr(served);
	return 0;
}

static int learn_from(const struct pack *pack, const Warm__Image__Image *image, uint64_t known,
                      const struct pager_served *served, size_t n_served, struct learnt *ret, struct err *err)
{
	uint64_t most = pack_n_pages(pack) / LEARN_SHARE > LEARN_PAGES ? pack_n_pages(pack) / LEARN_SHARE : LEARN_PAGES;
	CLEAN(free) uint64_t *run_page = calloc(image->n_run_addr + 1, sizeof(*run_page));
	CLEAN(free) uint64_t *page = calloc(n_served + 1, sizeof(*page));
	size_t n;

	if (!run_page || !page)
		return err_sys(err, ENOMEM, "a list of pages");
	for (size_t i = 0; i < image->n_run_addr; i++)
		run_page[i + 1] = run_page[i] + image->run_pages[i];
	n = choose(pack, image, run_page, served, n_served, known < most ? most - known : 0, page);
	return merge(pack, page, n, ret) < 0 ? err_sys(err, ENOMEM, "a list of pages") : 0;
}

int learn_pages(const struct pack *pack, const void *meta, size_t meta_len, uint64_t known, int log_fd,
                struct learnt *ret, struct err *err)
{
	CLEAN(free) struct pager_served *served = NULL;
	Warm__Image__Image *image;
	size_t n_served = 0;
	int r = read_log(log_fd, &served, &n_served, err);

	*ret = (struct learnt){0};
	if (r < 0)
		return r;
	image = warm__image__image__unpack(NULL, meta_len, meta);
	if (!image || image->n_run_addr != image->n_run_pages)
		r = err_set(err, EBADMSG, "the description of the image cannot be decoded");
	else
		r = learn_from(pack, image, known, served, n_served, ret, err);
	if (image)
		warm__image__image__free_unpacked(image, NULL);
	return r;
}
