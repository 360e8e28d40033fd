/* SPDX-License-Identifier: MIT */
#include "cache/worker/first.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "base/err.h"
#include "base/fd.h"
#include "proto/first.h"
#include "proto/image.pb-c.h"

#define SMALL_PAGES 512u /* an image of so many pages (2 MiB) is quicker read whole than asked for in pieces */

#define STACK_PAGES 2    /* below the stack pointer: where its signal frame goes */
#define ROBUST_MAX  2048 /* as many as the kernel goes through */

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

/* ---- what the kernel touches by itself --------------------------------------------------------------------------- */

/* Addresses of pages, in the end ascending and none twice. */
struct needed {
	uint64_t *page;
	size_t n, room;
	bool failed;
};

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void need(struct needed *needed, uint64_t addr)
{
	if (!addr)
		return;
	if (needed->n == needed->room) {
		size_t room = needed->room ? needed->room * 2 : 64;
		uint64_t *more = reallocarray(needed->page, room, sizeof(*more));

		if (!more) {
			needed->failed = true;
			return;
		}
		needed->page = more;
		needed->room = room;
	}
	needed->page[needed->n++] = addr & ~(uint64_t)(PACK_PAGE - 1);
}

/* The word at an address of the image; 0 where nothing is stored. */
static uint64_t word_at(const Warm__Image__Image *image, int pages_fd, uint64_t addr)
{
	uint64_t page = 0, word = 0;

	for (size_t i = 0; i < image->n_run_addr && i < image->n_run_pages; page += image->run_pages[i++])
		if (addr >= image->run_addr[i] &&
		    addr - image->run_addr[i] + sizeof(word) <= image->run_pages[i] * (uint64_t)PACK_PAGE &&
		    fd_pread_full(pages_fd, &word, sizeof(word), page * PACK_PAGE + (addr - image->run_addr[i])) !=
		            sizeof(word))
			word = 0;
	return word;
}

/* What a thread holds: get_robust_list(2). The last pointer leads back to the head. */
static void need_robust(struct needed *needed, const Warm__Image__Image *image, int pages_fd, uint64_t head)
{
	uint64_t offset = word_at(image, pages_fd, head + 8), node = head;

	for (int i = 0; i < ROBUST_MAX; i++) {
		node = word_at(image, pages_fd, node) & ~UINT64_C(1); /* bit 0: it inherits priority */
		if (!node || node == head)
			break;
		need(needed, node);
		need(needed, node + offset);
	}
}

/*
 * When a thread ends, the kernel clears the word for its tid and goes through its list of robust mutexes, and takes no
 * fault then; rseq(2) is written at each switch. And the stack, where it comes back, and the word that it waits for,
 * are wanted at once.
 */
static int find_needed(const Warm__Image__Image *image, int pages_fd, struct needed *needed)
{
	size_t n = 0;

	for (size_t i = 0; i < image->n_thread; i++) {
		const Warm__Image__Thread *t = image->thread[i];
		struct user_regs_struct regs = {0};

		if (t->regs.len == sizeof(regs))
			memcpy(&regs, t->regs.data, sizeof(regs));
		need(needed, t->tid_address);
		need(needed, t->robust_list);
		if (t->robust_list)
			need_robust(needed, image, pages_fd, t->robust_list);
		need(needed, t->rseq_addr);
		need(needed, regs.fs_base);
		for (unsigned below = 0; below <= STACK_PAGES && regs.rsp > below * PACK_PAGE; below++)
			need(needed, regs.rsp - below * PACK_PAGE);
		if (regs.orig_rax == SYS_futex)
			need(needed, regs.rdi);
	}
	if (needed->n)
		qsort(needed->page, needed->n, sizeof(*needed->page), by_number);
	for (size_t i = 0; i < needed->n; i++)
		if (i == 0 || needed->page[i] != needed->page[i - 1])
			needed->page[n++] = needed->page[i];
	needed->n = n;
	return needed->failed ? -ENOMEM : 0;
}

/* Those of them that are in this run, the next one; *at: the next of the needed. */
static int add_needed(struct list *list, const struct needed *needed, size_t *at, uint64_t addr, uint64_t pages,
                      uint64_t page)
{
	int r = 0;

	while (*at < needed->n && needed->page[*at] < addr)
		++*at;
	for (; r == 0 && *at < needed->n && needed->page[*at] < addr + pages * PACK_PAGE; ++*at)
		r = add(list, page + (needed->page[*at] - addr) / PACK_PAGE, 1);
	return r;
}

/* Runs and areas ascend, and no run reaches beyond its area. */
static int choose(const Warm__Image__Image *image, const struct needed *needed, struct list *list)
{
	bool small = count(image) <= SMALL_PAGES;
	uint64_t page = 0;
	size_t area = 0, at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_run_addr && i < image->n_run_pages; i++) {
		while (area < image->n_vma && image->vma[area]->end <= image->run_addr[i])
			area++;
		if (small || area == image->n_vma || !area_can_wait(image->vma[area]))
			r = add(list, page, image->run_pages[i]);
		else
			r = add_needed(list, needed, &at, image->run_addr[i], image->run_pages[i], page);
		page += image->run_pages[i];
	}
	return r;
}

int first_pages(const void *meta, size_t meta_len, int pages_fd, struct pack_range **ret_ranges, size_t *ret_n,
                struct err *err)
{
	Warm__Image__Image *image = warm__image__image__unpack(NULL, meta_len, meta);
	struct list list = {0};
	struct needed needed = {0};
	int r;

	if (!image)
		return err_set(err, EINVAL, "the description of the captured image cannot be decoded");
	r = find_needed(image, pages_fd, &needed);
	if (r == 0)
		r = choose(image, &needed, &list);
	free(needed.page);
	warm__image__image__free_unpacked(image, NULL);
	if (r < 0) {
		free(list.range);
		return err_sys(err, -r, "the list of first pages");
	}
	*ret_ranges = list.range;
	*ret_n = list.n;
	return 0;
}
