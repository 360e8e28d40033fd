/* SPDX-License-Identifier: MIT */
/*
 * The bytes of the pages. While the application is stopped they are only found (PAGEMAP_SCAN) and copied, into memory
 * that was touched before; zero pages are dropped after it runs again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/uapi.h"
#include "plugins/plugins.h"
#include "snapshot/shared_internal.h"

#define PAGE    4096u
#define REGIONS 512

static uint64_t n_pages(const Warm__Image__Image *image)
{
	uint64_t n = 0;

	for (size_t i = 0; i < image->n_run_pages; i++)
		n += image->run_pages[i];
	return n;
}

static int map_pages(struct subject *s, int pages_fd, size_t room, struct err *err)
{
	if (s->pages)
		munmap(s->pages, s->pages_room);
	s->pages = NULL;
	if (posix_fallocate(pages_fd, 0, (off_t)room) != 0)
		return err_set(err, ENOMEM, "no memory for an image of %lu MiB", (unsigned long)(room >> 20));
	s->pages = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, pages_fd, 0);
	if (s->pages == MAP_FAILED) {
		s->pages = NULL;
		return err_sys(err, errno, "memory for an image of %lu MiB", (unsigned long)(room >> 20));
	}
	s->pages_room = room;
	return 0;
}

/* Room for what the process has now and somewhat more, allocated and touched before anybody is stopped. */
int pages_prepare(struct subject *s, int pages_fd, struct err *err)
{
	struct proc_status status = {0};
	uint64_t room;
	int r = proc_status_read(s->proc_fd, &status);

	if (r < 0)
		return err_sys(err, -r, "status of process %d", s->pid);
	room = status.rss_bytes + PAGE;
	proc_status_fini(&status);
	return map_pages(s, pages_fd, room, err);
}

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

static const struct area *area_of(const struct subject *s, uint64_t addr)
{
	size_t lo = 0, hi = s->n_areas;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->area[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n_areas ? &s->area[lo] : NULL;
}

static bool readable(const struct subject *s, uint64_t addr)
{
	const struct area *area = area_of(s, addr);

	return area && area->readable;
}

static int copy_run(struct subject *s, int mem, uint64_t addr, size_t len, char *to, struct err *err)
{
	while (len) {
		struct iovec local = {to, len}, remote = {(void *)addr, len};
		ssize_t n = readable(s, addr) ? process_vm_readv(s->pid, &local, 1, &remote, 1, 0)
		                              : pread(mem, to, len, (off_t)addr); /* PROT_NONE: as a debugger does */

		if (n <= 0)
			return err_sys(err, n ? errno : EIO, "read memory of process %d at %#lx", s->pid,
			               (unsigned long)addr);
		addr += (size_t)n;
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

int copy_pages(struct subject *s, int pages_fd, struct err *err)
{
	CLEAN(fd) int mem = openat(s->proc_fd, "mem", O_RDONLY | O_CLOEXEC);
	size_t size = n_pages(s->image) * PAGE;
	char *at;
	int r = 0;

	if (mem < 0)
		return err_sys(err, errno, "memory of process %d", s->pid);
	if (size > s->pages_room)
		r = map_pages(s, pages_fd, size, err);
	at = s->pages;
	for (size_t i = 0; r == 0 && i < s->image->n_run_addr; i++) {
		r = copy_run(s, mem, s->image->run_addr[i], (size_t)s->image->run_pages[i] * PAGE, at, err);
		at += (size_t)s->image->run_pages[i] * PAGE;
	}
	return r;
}

int find_pages(struct subject *s, struct err *err)
{
	CLEAN(fd) int pagemap = openat(s->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	CLEAN(free) struct page_region *regions = calloc(REGIONS, sizeof(*regions));
	uint64_t guard;
	size_t next = 0;

	if (pagemap < 0 || !regions)
		return err_sys(err, errno, "page map of process %d", s->pid);
	guard = guard_category(pagemap);
	for (size_t i = 0; i < s->n_areas; i++) {
		int r = s->area[i].shared ? find_shared_pages(s, s->area[i].start, err)
		                          : scan_used(s, pagemap, &s->area[i], &next, regions, guard, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_zero(const char *page)
{
	const uint64_t *word = (const uint64_t *)page;

	for (size_t i = 0; i < PAGE / sizeof(*word); i += 4)
		if (word[i] | word[i + 1] | word[i + 2] | word[i + 3])
			return false;
	return true;
}

int pages_pack(struct subject *s, int pages_fd, struct err *err)
{
	Warm__Image__Image *image = s->image;
	uint64_t *addr = image->run_addr;
	uint32_t *pages = image->run_pages;
	size_t n_runs = image->n_run_addr;
	char *from = s->pages, *to = s->pages;
	int r = 0;

	image->run_addr = NULL;
	image->run_pages = NULL;
	image->n_run_addr = image->n_run_pages = 0;
	for (size_t i = 0; r == 0 && i < n_runs; i++) {
		const struct area *area = area_of(s, addr[i]);
		bool zero_counts = area && area->anon_only; /* without it, the file's bytes would be there */
		uint32_t held = 0;

		for (uint32_t p = 0; r == 0 && p <= pages[i]; p++, from += PAGE) {
			if (p < pages[i] && (zero_counts || !is_zero(from))) {
				if (to != from)
					memcpy(to, from, PAGE);
				to += PAGE;
				held++;
				continue;
			}
			if (held && pages_add_run(s, addr[i] + (uint64_t)(p - held) * PAGE, held) < 0)
				r = err_sys(err, ENOMEM, "page index");
			held = 0;
		}
		from -= PAGE; /* the round past the run's end */
	}
	if (r == 0 && ftruncate(pages_fd, to - s->pages) < 0)
		r = err_sys(err, errno, "memory for the image");
	s->summary->pages = n_pages(image);
	free(addr);
	free(pages);
	return r;
}
