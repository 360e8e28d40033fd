/* SPDX-License-Identifier: MIT */
/*
 * Phase 1: the address space. Everything of warm-restore goes but the arena, the staged pages and the vdso; the image's
 * areas come; pages move in from staging (UFFDIO_MOVE: real anonymous pages, not copied) or, into mappings of files,
 * are copied; then final protections and advice; then the fields of mm_struct.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/uapi.h"
#include "plugins/warm_plugin.h"
#include "proto/first.h"
#include "restore/memory_internal.h"
#include "restore/plan.h"

#define PAGE     4096u
#define TASK_END 0x7ffffffff000u

typedef Warm__Image__Vma vma_t;

bool vma_has_flag(const vma_t *vma, const char *flag)
{
	for (size_t i = 0; i < vma->n_flag; i++)
		if (strcmp(vma->flag[i], flag) == 0)
			return true;
	return false;
}

/* ---- out with the old ------------------------------------------------------------------------------------------- */

static void vacate(struct plan *p)
{
	const struct place *at = p->place;
	uint64_t end = at->staging + at->staging_len;
	uint64_t to = at->arena + ARENA_VDSO;

	for (size_t i = 0; i < at->n_vdso; i++) {
		uint64_t len = at->vdso[i].end - at->vdso[i].start;

		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .want = WANT_EXACT,
		                     .nr = SYS_mremap,
		                     .expect = to,
		                     .args = {at->vdso[i].start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to}},
		        "put the vdso aside (%lu KiB)", (unsigned long)(len >> 10));
		to += len;
	}
	PLAN_SYS(p, SYS_munmap, "unmap everything below the arena", 0, at->arena);
	PLAN_SYS(p, SYS_munmap, "unmap everything above the pages", end, TASK_END - end);
}

static int plan_vdso(struct plan *p, struct err *err)
{
	const struct place *at = p->place;
	uint64_t from = at->arena + ARENA_VDSO;

	for (size_t i = 0; i < at->n_vdso; i++) {
		uint64_t len = at->vdso[i].end - at->vdso[i].start;
		const vma_t *vma = NULL;

		for (size_t j = 0; j < p->image->n_vma; j++)
			if (p->image->vma[j]->kind == at->vdso[i].kind)
				vma = p->image->vma[j];
		if (!vma || vma->end - vma->start != len)
			return err_set(err, ESTALE, "the image was made on another kernel (its vdso differs)");
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .want = WANT_EXACT,
		                     .nr = SYS_mremap,
		                     .expect = vma->start,
		                     .args = {from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, vma->start}},
		        "move the vdso to %#lx", (unsigned long)vma->start);
		from += len;
	}
	return 0;
}

/* ---- in with the areas ------------------------------------------------------------------------------------------ */

/* While pages are being filled in, an area that has some is writable: memory that has been is accounted for, also
 * behind mprotect(2), which gives that up where nothing has been written. */
static uint32_t filling_prot(const vma_t *vma, bool has_pages)
{
	return has_pages ? PROT_READ | PROT_WRITE : vma->prot;
}

void plan_area_name(struct plan *p, const vma_t *vma)
{
	if (vma->name && vma->name[0])
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .want = WANT_ANY,
		                     .nr = SYS_prctl,
		                     .args = {PR_SET_VMA, PR_SET_VMA_ANON_NAME, vma->start, vma->end - vma->start,
		                              plan_string(p, vma->name)}},
		        "name the area %s", vma->name);
}

/* Private, as long as it is the template's: restore/plan_shared.c */
static void map_shared(struct plan *p, const vma_t *vma, bool has_pages)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_mmap,
	                     .expect = vma->start,
	                     .args = {vma->start, vma->end - vma->start, has_pages ? PROT_READ | PROT_WRITE : PROT_NONE,
	                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, (uint64_t)-1, 0}},
	        "place for shared memory at %#lx-%#lx", (unsigned long)vma->start, (unsigned long)vma->end);
}

static void map_area(struct plan *p, const vma_t *vma, bool has_pages)
{
	bool file = vma->kind == WARM__IMAGE__VMA_KIND__FILE;
	uint64_t flags = MAP_FIXED | (vma->shared ? MAP_SHARED : MAP_PRIVATE) | (file ? 0 : MAP_ANONYMOUS);
	int fd = file ? p->place->file_fd[vma->file] : -1;

	if (vma_has_flag(vma, "dp"))
		flags = (flags & ~(uint64_t)MAP_PRIVATE) | MAP_DROPPABLE;
	if (vma_has_flag(vma, "gd"))
		flags |= MAP_GROWSDOWN; /* MAP_STACK would add "no huge pages" */
	if (vma_has_flag(vma, "nr"))
		flags |= MAP_NORESERVE;
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_mmap,
	                     .expect = vma->start,
	                     .args = {vma->start, vma->end - vma->start, filling_prot(vma, has_pages), flags,
	                              (uint64_t)fd, file ? vma->offset : 0}},
	        "map %s at %#lx-%#lx", file ? p->image->file[vma->file]->path : "anonymous memory",
	        (unsigned long)vma->start, (unsigned long)vma->end);
	plan_area_name(p, vma);
}

/* Pages are numbered through all runs. */
struct run_cursor {
	size_t run;       /* the next run of pages, */
	uint64_t page;    /* its first page's number */
	uint64_t staging; /* where the next staged page lies */
	size_t first;     /* lazy: the range of first pages that it is of, */
	uint64_t placed;  /* and how many of them have their place */
};

static bool run_in(const struct plan *p, const struct run_cursor *c, const vma_t *vma)
{
	const Warm__Image__Image *image = p->image;

	return c->run < image->n_run_addr && image->run_addr[c->run] >= vma->start &&
	       image->run_addr[c->run] < vma->end &&
	       (uint64_t)image->run_pages[c->run] * PAGE <= vma->end - image->run_addr[c->run];
}

enum fill { FILL_MOVE, FILL_COPY, FILL_PLACE, FILL_WRITE };

/* The next block of first pages, into the buffer, where all its pages are placed from. */
static void read_block(struct plan *p, const struct run_cursor *c)
{
	const struct place *at = p->place;
	uint64_t block = c->placed / PACK_BLOCK_PAGES, left = at->n_first_pages - c->placed;
	uint64_t pages = left < PACK_BLOCK_PAGES ? left : PACK_BLOCK_PAGES;

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_pread64,
	                     .expect = pages * PAGE,
	                     .args = {(uint64_t)at->image_fd, at->staging, pages * PAGE,
	                              at->first_offset + c->placed * PAGE}},
	        "read block %lu of the image", (unsigned long)block);
	plan_op(p, (struct rop){.kind = ROP_CHECK, .args = {at->staging, pages, at->first_sum[block]}},
	        "block %lu of the image: checksum differs (`warm rm` it)", (unsigned long)block);
}

static void fill_piece(struct plan *p, struct run_cursor *c, uint64_t addr, uint64_t len, enum fill how)
{
	struct uffdio_move move = {.dst = addr, .src = c->staging, .len = len};
	struct uffdio_copy place = {.dst = addr, .src = c->staging, .len = len};

	if (how == FILL_MOVE)
		plan_op(p,
		        (struct rop){
		                .kind = ROP_SYSCALL,
		                .nr = SYS_ioctl,
		                .args = {(uint64_t)p->place->uffd, UFFDIO_MOVE, plan_data(p, &move, sizeof(move), 8)}},
		        "move %lu pages to %#lx", (unsigned long)(len / PAGE), (unsigned long)addr);
	else if (how == FILL_PLACE)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_ioctl,
		                     .args = {(uint64_t)p->place->uffd, UFFDIO_COPY,
		                              plan_data(p, &place, sizeof(place), 8)}},
		        "place %lu pages at %#lx", (unsigned long)(len / PAGE), (unsigned long)addr);
	else if (how == FILL_WRITE)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .want = WANT_EXACT,
		                     .nr = SYS_pwrite64,
		                     .expect = len,
		                     .args = {(uint64_t)p->place->mem_fd, c->staging, len, addr}},
		        "write %lu pages to %#lx", (unsigned long)(len / PAGE), (unsigned long)addr);
	else
		plan_op(p, (struct rop){.kind = ROP_COPY, .args = {addr, c->staging, len}}, "copy %lu pages to %#lx",
		        (unsigned long)(len / PAGE), (unsigned long)addr);
	c->staging += len;
}

/* Pages that are among the first ones, at most n of them: those that come with this block. */
static uint64_t fill_from_block(struct plan *p, struct run_cursor *c, uint64_t addr, uint64_t n, enum fill how)
{
	uint64_t at = c->placed % PACK_BLOCK_PAGES;

	if (at == 0)
		read_block(p, c);
	if (n > PACK_BLOCK_PAGES - at)
		n = PACK_BLOCK_PAGES - at;
	c->staging = p->place->staging + at * PAGE;
	fill_piece(p, c, addr, n * PAGE, how);
	c->placed += n;
	return n;
}

/* The run's next pages, at most n: those of one range of first pages, or those up to the next one. */
static uint64_t next_piece(const struct plan *p, struct run_cursor *c, uint64_t page, uint64_t n, bool *ret_staged)
{
	const struct pack_range *first = p->place->first;
	uint64_t left;

	while (c->first < p->place->n_first && first[c->first].page + first[c->first].pages <= page)
		c->first++;
	*ret_staged = c->first < p->place->n_first && first[c->first].page <= page;
	if (*ret_staged)
		left = first[c->first].page + first[c->first].pages - page;
	else
		left = c->first < p->place->n_first ? first[c->first].page - page : n;
	return left < n ? left : n;
}

/* False: not all of its pages are staged. */
static bool fill_run(struct plan *p, struct run_cursor *c, enum fill how)
{
	uint64_t addr = p->image->run_addr[c->run], pages = p->image->run_pages[c->run], n;
	bool staged = true, whole = true;

	for (uint64_t done = 0; done < pages; done += n) {
		n = p->place->lazy ? next_piece(p, c, c->page + done, pages - done, &staged) : pages;
		if (staged && p->place->lazy)
			n = fill_from_block(p, c, addr + done * PAGE, n, how);
		else if (staged)
			fill_piece(p, c, addr + done * PAGE, n * PAGE, how);
		else
			whole = false;
	}
	c->page += pages;
	c->run++;
	return whole;
}

static int fill_area(struct plan *p, const vma_t *vma, struct run_cursor *c, struct err *err)
{
	bool can_move = p->place->uffd >= 0 && ((vma->kind == WARM__IMAGE__VMA_KIND__ANON && !vma->shared) ||
	                                        vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON);
	enum fill copied = p->place->mem_fd >= 0 ? FILL_WRITE : FILL_COPY;
	enum fill how = p->place->lazy ? area_can_wait(vma) ? FILL_PLACE : copied : can_move ? FILL_MOVE : FILL_COPY;
	struct uffdio_register reg = {.range = {vma->start, vma->end - vma->start},
	                              .mode = UFFDIO_REGISTER_MODE_MISSING};
	bool whole = true;

	if (how == FILL_MOVE || how == FILL_PLACE)
		PLAN_SYS(p, SYS_ioctl, "prepare the area for pages", (uint64_t)p->place->uffd, UFFDIO_REGISTER,
		         plan_data(p, &reg, sizeof(reg), 8));
	while (run_in(p, c, vma))
		whole = fill_run(p, c, how) && whole;
	if (how == FILL_MOVE || (how == FILL_PLACE && whole))
		PLAN_SYS(p, SYS_ioctl, "all pages are in", (uint64_t)p->place->uffd, UFFDIO_UNREGISTER,
		         plan_data(p, &reg.range, sizeof(reg.range), 8));
	return whole || how == FILL_PLACE
	               ? 0
	               : err_set(err, EBADMSG, "pages at %#lx are missing among the image's first ones",
	                         (unsigned long)vma->start);
}

void plan_area_advice(struct plan *p, const vma_t *vma)
{
	static const struct {
		const char *flag;
		uint64_t advice;
	} advice[] = {{"sr", MADV_SEQUENTIAL}, {"rr", MADV_RANDOM},    {"dc", MADV_DONTFORK},
	              {"dd", MADV_DONTDUMP},   {"hg", MADV_HUGEPAGE},  {"nh", MADV_NOHUGEPAGE},
	              {"mg", MADV_MERGEABLE},  {"wf", MADV_WIPEONFORK}};

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (vma_has_flag(vma, advice[i].flag) && strcmp(advice[i].flag, "dc") != 0)
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .nr = SYS_madvise,
			                     .args = {vma->start, vma->end - vma->start, advice[i].advice}},
			        "advise %s at %#lx", advice[i].flag, (unsigned long)vma->start);
}

static int plan_area(struct plan *p, const vma_t *vma, struct run_cursor *c, struct err *err)
{
	bool has_pages = run_in(p, c, vma);
	int r = 0;

	if (vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON) {
		map_shared(p, vma, has_pages);
		return has_pages ? fill_area(p, vma, c, err) : 0;
	}
	map_area(p, vma, has_pages);
	if (has_pages) {
		r = fill_area(p, vma, c, err);
		if (filling_prot(vma, true) != vma->prot)
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .nr = SYS_mprotect,
			                     .args = {vma->start, vma->end - vma->start, vma->prot}},
			        "protect %#lx", (unsigned long)vma->start);
	}
	plan_area_advice(p, vma);
	return r;
}

/* What fork does not hand down, each standby does for itself: memory is shared with nobody, MADV_DONTFORK areas would
 * be lost, locks are not inherited. */
int plan_locks(struct plan *p, struct err *err)
{
	(void)err;
	plan_shared(p);
	for (size_t i = 0; i < p->image->n_vma; i++) {
		const vma_t *vma = p->image->vma[i];

		if (vma_has_flag(vma, "dc"))
			PLAN_SYS(p, SYS_madvise, "advise: not for children", vma->start, vma->end - vma->start,
			         MADV_DONTFORK);
		if (vma_has_flag(vma, "lo"))
			PLAN_SYS(p, SYS_mlock2, "lock memory", vma->start, vma->end - vma->start,
			         vma_has_flag(vma, "lf") ? MLOCK_ONFAULT : 0);
	}
	if (p->image->mm->lock_future)
		PLAN_SYS(p, SYS_mlockall, "lock memory to come",
		         MCL_FUTURE |
		                 (p->image->mm->lock_future == WARM__IMAGE__LOCK_FUTURE__LOCKED_ON_FAULT ? MCL_ONFAULT
		                                                                                         : 0));
	return 0;
}

/* ---- mm_struct -------------------------------------------------------------------------------------------------- */

static void plan_mm(struct plan *p)
{
	const Warm__Image__Mm *mm = p->image->mm;
	struct prctl_mm_map map = {
	        .start_code = mm->start_code,
	        .end_code = mm->end_code,
	        .start_data = mm->start_data,
	        .end_data = mm->end_data,
	        .start_brk = mm->start_brk,
	        .brk = mm->brk,
	        .start_stack = mm->start_stack,
	        .arg_start = mm->arg_start,
	        .arg_end = mm->arg_end,
	        .env_start = mm->env_start,
	        .env_end = mm->env_end,
	        .auxv_size = (uint32_t)mm->auxv.len,
	        .exe_fd = (uint32_t)p->place->exe_fd,
	};

	map.auxv = (void *)plan_data(p, mm->auxv.data, mm->auxv.len, 8);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_prctl,
	                     .args = {PR_SET_MM, PR_SET_MM_MAP, plan_data(p, &map, sizeof(map), 8), sizeof(map), 0}},
	        "set heap, stack, arguments and executable %s", mm->exe);
	if (mm->thp_disabled)
		PLAN_SYS(p, SYS_prctl, "no transparent huge pages", PR_SET_THP_DISABLE, 1, mm->thp_disabled & ~1u, 0,
		         0);
}

int plan_memory(struct plan *p, struct err *err)
{
	struct run_cursor cursor = {.staging = p->place->staging};
	int r = 0;

	vacate(p);
	for (size_t i = 0; r == 0 && i < p->image->n_vma; i++) {
		const vma_t *vma = p->image->vma[i];

		if (vma->kind == WARM__IMAGE__VMA_KIND__ANON || vma->kind == WARM__IMAGE__VMA_KIND__FILE ||
		    vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON)
			r = plan_area(p, vma, &cursor, err);
	}
	if (r < 0)
		return r;
	if (cursor.run != p->image->n_run_addr)
		return err_set(err, EBADMSG, "the image has pages at %#lx, where it has no memory",
		               (unsigned long)p->image->run_addr[cursor.run]);
	r = plan_vdso(p, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->image->n_guard_addr && i < p->image->n_guard_len; i++)
		PLAN_SYS(p, SYS_madvise, "guard region", p->image->guard_addr[i], p->image->guard_len[i],
		         MADV_GUARD_INSTALL);
	if (p->place->staging_len)
		PLAN_SYS(p, SYS_munmap, "unmap what is left of the staged pages", p->place->staging,
		         p->place->staging_len);
	plan_mm(p);
	plan_plugin_ops(p, WARM_TEMPLATE);
	if (p->place->lazy)
		PLAN_SYS(p, SYS_close_range, "close the image", (uint64_t)IMAGE_FD(p->place),
		         (uint64_t)MEM_FD(p->place), 0);
	PLAN_SYS(p, SYS_close_range, "close the mapped files", 0, (uint64_t)p->place->fd_base - 1, 0);
	return 0;
}
