/* SPDX-License-Identifier: MIT */
/*
 * Shared anonymous memory. A fork would share it among all copies, so each standby makes its own: the object, filled
 * with what the template has, privately, where the areas are to be; then each area as one more mapping of the object
 * (mremap(2) of a length of 0) in its place.
 */
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "restore/memory_internal.h"
#include "restore/plan.h"

#define PAGE 4096u

typedef Warm__Image__Vma vma_t;

static bool is_of(const vma_t *vma, size_t object)
{
	return vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON && vma->object == object;
}

static void make_object(struct plan *p, size_t object)
{
	uint64_t at = p->place->shared, noreserve = 0;

	for (size_t i = 0; i < p->image->n_vma; i++)
		if (is_of(p->image->vma[i], object) && vma_has_flag(p->image->vma[i], "nr"))
			noreserve = MAP_NORESERVE;
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_mmap,
	                     .expect = at,
	                     .args = {at, p->image->shared_memory[object]->size, PROT_READ | PROT_WRITE,
	                              MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | noreserve, (uint64_t)-1, 0}},
	        "shared memory of its own, %lu KiB", (unsigned long)(p->image->shared_memory[object]->size >> 10));
}

static void fill_object(struct plan *p, const vma_t *vma)
{
	for (size_t i = 0; i < p->image->n_run_addr; i++) {
		uint64_t addr = p->image->run_addr[i], len = (uint64_t)p->image->run_pages[i] * PAGE;

		if (addr >= vma->start && addr < vma->end)
			plan_op(p,
			        (struct rop){.kind = ROP_COPY,
			                     .args = {p->place->shared + vma->offset + (addr - vma->start), addr, len}},
			        "its %lu pages at %#lx", (unsigned long)(len / PAGE), (unsigned long)addr);
	}
}

static void show_object(struct plan *p, const vma_t *vma)
{
	uint64_t len = vma->end - vma->start;

	plan_op(p,
	        (struct rop){
	                .kind = ROP_SYSCALL,
	                .want = WANT_EXACT,
	                .nr = SYS_mremap,
	                .expect = vma->start,
	                .args = {p->place->shared + vma->offset, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, vma->start}},
	        "map it at %#lx-%#lx", (unsigned long)vma->start, (unsigned long)vma->end);
	plan_area_name(p, vma);
	plan_area_advice(p, vma);
	if (vma->prot != (PROT_READ | PROT_WRITE))
		PLAN_SYS(p, SYS_mprotect, "protect it", vma->start, len, vma->prot);
}

void plan_shared(struct plan *p)
{
	for (size_t object = 0; object < p->image->n_shared_memory; object++) {
		make_object(p, object);
		for (size_t i = 0; i < p->image->n_vma; i++)
			if (is_of(p->image->vma[i], object))
				fill_object(p, p->image->vma[i]);
		for (size_t i = 0; i < p->image->n_vma; i++)
			if (is_of(p->image->vma[i], object))
				show_object(p, p->image->vma[i]);
		PLAN_SYS(p, SYS_munmap, "the first mapping of it", p->place->shared,
		         p->image->shared_memory[object]->size);
	}
}
