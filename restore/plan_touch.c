/* SPDX-License-Identifier: MIT */
/*
 * What a standby touches before it parks, so that its launch finds page tables filled (under a hypervisor that shadows
 * them the first access to a page costs 5-10 us, also where it only reads): what warmd has seen launches write, and the
 * pages that are stored first, which launches from disk have asked for. A small program reads all of its own.
 */
#include "restore/plan.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/clean.h"
#include "cache/pack.h"
#include "proto/first.h"
#include "proto/launch.h"

#define PAGE          4096u
#define TOUCH_AT_MOST 16384u /* pages: 64 MiB, some 0.1 s of a standby's making */

/* Nobody sees in page tables whether a clone reads the clock without a system call, but most do. rt_sigprocmask(2)
 * reads the mask before it finds that it knows no such change; where there is no page it says EFAULT. */
static void touch_clock(struct plan *p)
{
	for (size_t i = 0; i < p->image->n_vma; i++) {
		const Warm__Image__Vma *vma = p->image->vma[i];

		if (vma->kind == WARM__IMAGE__VMA_KIND__VVAR || vma->kind == WARM__IMAGE__VMA_KIND__VVAR_VCLOCK)
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .want = WANT_ANY,
			                     .nr = SYS_rt_sigprocmask,
			                     .args = {(uint64_t)-1, vma->start, 0, 8}},
			        "touch the clock at %#lx", (unsigned long)vma->start);
	}
}

/* Runs, first ranges and areas ascend. */
struct reads {
	struct plan *plan;
	size_t range, vma;
	uint64_t left; /* pages */
	struct touch *touch;
	size_t n, room;
};

static void add(struct reads *reads, uint64_t addr, uint64_t pages)
{
	if (pages > reads->left)
		pages = reads->left;
	if (pages == 0 || reads->n == reads->room)
		return;
	reads->left -= pages;
	reads->touch[reads->n++] = (struct touch){addr, (uint32_t)pages, MADV_POPULATE_READ};
}

/* The part of a stretch that may be read: what cannot would be a fault in the restorer. A run lies in one area. */
static bool may_read(struct reads *reads, uint64_t addr)
{
	const Warm__Image__Image *image = reads->plan->image;

	while (reads->vma < image->n_vma && image->vma[reads->vma]->end <= addr)
		reads->vma++;
	return reads->vma < image->n_vma && image->vma[reads->vma]->start <= addr &&
	       (image->vma[reads->vma]->prot & PROT_READ);
}

/* The run's pages are numbered from `page` on. */
static void add_first(struct reads *reads, uint64_t addr, uint64_t page, uint64_t pages)
{
	const struct place *at = reads->plan->place;

	while (reads->range < at->n_first && at->first[reads->range].page + at->first[reads->range].pages <= page)
		reads->range++;
	for (size_t i = reads->range; i < at->n_first && at->first[i].page < page + pages; i++) {
		uint64_t from = at->first[i].page > page ? at->first[i].page : page;
		uint64_t end = at->first[i].page + at->first[i].pages;

		if (end > page + pages)
			end = page + pages;
		add(reads, addr + (from - page) * PAGE, end - from);
	}
}

static uint64_t n_pages(const Warm__Image__Image *image)
{
	uint64_t n = 0;

	for (size_t i = 0; i < image->n_run_pages; i++)
		n += image->run_pages[i];
	return n;
}

static void gather(struct reads *reads)
{
	const Warm__Image__Image *image = reads->plan->image;
	bool small = n_pages(image) <= SMALL_IMAGE_PAGES;
	uint64_t page = 0;

	for (size_t i = 0; i < image->n_run_addr; i++) {
		uint64_t addr = image->run_addr[i], pages = image->run_pages[i];

		if (may_read(reads, addr) && small)
			add(reads, addr, pages);
		else if (may_read(reads, addr))
			add_first(reads, addr, page, pages);
		page += pages;
	}
}

void plan_touch(struct plan *p)
{
	size_t room = p->image->n_run_addr + p->place->n_first;
	CLEAN(free) struct touch *touch = calloc(room + 1, sizeof(*touch));
	struct reads reads = {.plan = p, .left = TOUCH_AT_MOST, .touch = touch, .room = room};

	if (!touch) {
		p->failed = true;
		return;
	}
	if (!p->place->straight) /* else there is a launch already, and it reads what it needs */
		gather(&reads);
	plan_op(p, (struct rop){.kind = ROP_TOUCH, .args = {plan_data(p, touch, reads.n * sizeof(*touch), 8), reads.n}},
	        "touch the working set");
	touch_clock(p);
}
