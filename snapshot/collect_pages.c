/* SPDX-License-Identifier: MIT */
/* Which pages there are to store: PAGEMAP_SCAN. Their bytes: snapshot/store_pages.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/uapi.h"
#include "plugins/plugins.h"
#include "snapshot/keep.h"
#include "snapshot/pages_internal.h"

#define PAGE    4096u
#define REGIONS 512

int pages_add_run(struct subject *s, uint64_t addr, uint64_t pages)
{
	while (pages) {
		uint32_t n = pages > (1u << 20) ? 1u << 20 : (uint32_t)pages;

		if (GROW(s->image, run_addr, addr) < 0 || GROW(s->image, run_pages, n) < 0)
			return -ENOMEM;
		addr += (uint64_t)n * PAGE;
		pages -= n;
	}
	return 0;
}

static int add_regions(struct subject *s, const struct page_region *regions, long n)
{
	for (long i = 0; i < n; i++) {
		uint64_t len = regions[i].end - regions[i].start;

		if (regions[i].categories & PAGE_IS_GUARD) {
			if (GROW(s->image, guard_addr, (uint64_t)regions[i].start) < 0 ||
			    GROW(s->image, guard_len, len) < 0)
				return -ENOMEM;
		} else if (pages_add_run(s, regions[i].start, len / PAGE) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int scan(struct subject *s, int pagemap, const struct area *area, struct page_region *regions, uint64_t guard,
                struct err *err)
{
	/* Present or swapped, not the zero page; in a mapping of a file, no page that is still the file's. */
	struct pm_scan_arg arg = {.size = sizeof(arg),
	                          .start = area->start,
	                          .end = area->end,
	                          .vec = (uint64_t)regions,
	                          .vec_len = REGIONS,
	                          .category_inverted = PAGE_IS_PFNZERO | PAGE_IS_FILE,
	                          .category_mask = PAGE_IS_PFNZERO | (area->anon_only ? PAGE_IS_FILE : 0),
	                          .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED | guard,
	                          .return_mask = guard};

	while (arg.start < area->end) {
		long n = ioctl(pagemap, PAGEMAP_SCAN, &arg);

		if (n < 0)
			return err_sys(err, errno, "scan the pages at %#lx", (unsigned long)area->start);
		if (add_regions(s, regions, n) < 0)
			return err_sys(err, ENOMEM, "page index");
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return 0;
}

/* Without what a plugin called unused. *next: the first of these that may reach into the area. */
static int scan_used(struct subject *s, int pagemap, const struct area *area, size_t *next, struct page_region *regions,
                     uint64_t guard, struct err *err)
{
	struct area part = *area;
	int r = 0;

	while (*next < s->n_unused && s->unused[*next].end <= area->start)
		(*next)++;
	for (size_t i = *next; r == 0 && i < s->n_unused && s->unused[i].start < area->end && !area->anon_only; i++) {
		part.end = s->unused[i].start;
		if (part.start < part.end)
			r = scan(s, pagemap, &part, regions, guard, err);
		part.start = s->unused[i].end;
	}
	part.end = area->end;
	return r == 0 && part.start < part.end ? scan(s, pagemap, &part, regions, guard, err) : r;
}

/* PAGE_IS_GUARD is newer than PAGEMAP_SCAN: a kernel without it says EINVAL, and has no guard regions. */
static uint64_t guard_category(int pagemap)
{
	struct page_region region;
	struct pm_scan_arg arg = {
	        .size = sizeof(arg), .vec = (uint64_t)&region, .vec_len = 1, .return_mask = PAGE_IS_GUARD};

	arg.category_anyof_mask = PAGE_IS_GUARD;
	arg.end = PAGE;
	return ioctl(pagemap, PAGEMAP_SCAN, &arg) < 0 ? 0 : PAGE_IS_GUARD;
}

static int find_in(struct subject *s, int pagemap, const struct area *area, size_t *next, struct page_region *regions,
                   uint64_t guard, struct err *err)
{
	if (area->unforked && s->aside)
		return aside_take_back(s, area, err);
	return area->shared ? find_shared_pages(s, area->start, err)
	                    : scan_used(s, pagemap, area, next, regions, guard, err);
}

static int find(struct subject *s, int pagemap, bool unforked_only, struct err *err)
{
	CLEAN(free) struct page_region *regions = calloc(REGIONS, sizeof(*regions));
	uint64_t guard;
	size_t next = 0;
	int r = 0;

	if (pagemap < 0 || !regions)
		return err_sys(err, errno, "page map of process %d", s->pid);
	guard = guard_category(pagemap);
	for (size_t i = 0; r == 0 && i < s->n_areas; i++)
		if (s->area[i].unforked || !unforked_only)
			r = find_in(s, pagemap, &s->area[i], &next, regions, guard, err);
	return r;
}

int find_unforked_pages(struct subject *s, struct err *err)
{
	CLEAN(fd) int pagemap = openat(s->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);

	return find(s, pagemap, true, err);
}

int find_pages(struct subject *s, struct err *err)
{
	CLEAN(fd)
	int pagemap = s->kept ? fcntl(s->kept->pagemap, F_DUPFD_CLOEXEC, 3)
	                      : openat(s->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);

	return find(s, pagemap, false, err);
}
