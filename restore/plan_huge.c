/* SPDX-License-Identifier: MIT */
/*
 * A template's memory in huge pages: a fork of it copies one entry of a page table for 2 MiB instead of 512. Only where
 * nearly all of the 2 MiB is there already - the rest would be memory that the program never had - and where warmd has
 * asked for it: whether it pays is measured (policy/huge.h).
 */
#include "restore/plan.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define PAGE  4096u
#define HUGE  (UINT64_C(2) << 20)
#define DENSE (HUGE / PAGE * 9 / 10) /* pages */

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many pages are stored between the two addresses. *run: the first run that does not end before; it moves on. */
static uint64_t stored(const Warm__Image__Image *image, size_t *run, uint64_t start, uint64_t end)
{
	uint64_t n = 0;

	while (*run < image->n_run_addr && image->run_addr[*run] + image->run_pages[*run] * PAGE <= start)
		++*run;
	for (size_t i = *run; i < image->n_run_addr && image->run_addr[i] < end; i++) {
		uint64_t from = image->run_addr[i] > start ? image->run_addr[i] : start;

		n += (lower(image->run_addr[i] + image->run_pages[i] * PAGE, end) - from) / PAGE;
	}
	return n;
}

/* Where the kernel has no huge page to give, or wants none there, it stays as it is. */
static void collapse(struct plan *p, uint64_t start, uint64_t end)
{
	if (start < end)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .want = WANT_ANY,
		                     .nr = SYS_madvise,
		                     .args = {start, end - start, MADV_COLLAPSE}},
		        "huge pages at %#lx", (unsigned long)start);
}

void plan_huge(struct plan *p)
{
	const Warm__Image__Image *image = p->image;
	size_t run = 0;

	if (!p->place->huge)
		return;
	for (size_t i = 0; i < image->n_vma; i++) {
		const Warm__Image__Vma *vma = image->vma[i];
		uint64_t at = (vma->start + HUGE - 1) & ~(HUGE - 1), from = at;

		if (vma->kind != WARM__IMAGE__VMA_KIND__ANON)
			continue;
		for (; at + HUGE <= vma->end; at += HUGE) {
			if (stored(image, &run, at, at + HUGE) >= DENSE)
				continue;
			collapse(p, from, at);
			from = at + HUGE;
		}
		collapse(p, from, at);
	}
}
