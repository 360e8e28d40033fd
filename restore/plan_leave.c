/* SPDX-License-Identifier: MIT */
/*
 * The way out of the restorer. A thread leaves by a signal frame on its own stack and by two pieces of its own libc:
 * `syscall; ret` and the rt_sigreturn trampoline. So the main thread can unmap the arena it has just been running in,
 * once all others are out of it: each counts itself out by a system call (FUTEX_WAKE_OP) that it makes from its own
 * code.
 *
 * Threads in an untimed futex wait leave before the standby parks and are waiting again when GO comes: they cost a
 * launch nothing. The rest wait for GO in the arena.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#include "restore/plan.h"

#define FRAME_MAX 16384 /* more than any signal frame */

typedef Warm__Image__Thread thread_t;

/*
 * Room below the stack pointer may be somebody else's memory on a stack that is small and home-made (coroutines). It is
 * the thread's own on the process's stack (it grows down) and on one of libc's, which has the thread's control block at
 * its top.
 */
static bool on_own_stack(const struct plan *p, const thread_t *t)
{
	struct user_regs_struct regs;

	memcpy(&regs, t->regs.data, sizeof(regs));
	for (size_t i = 0; i < p->image->n_vma; i++) {
		const Warm__Image__Vma *vma = p->image->vma[i];
		bool native = vma->start <= regs.fs_base && regs.fs_base < vma->end;

		if (vma->kind != WARM__IMAGE__VMA_KIND__ANON || !(vma->prot & PROT_WRITE) || vma->end < regs.rsp ||
		    vma->start + FRAME_MAX > regs.rsp)
			continue;
		for (size_t f = 0; f < vma->n_flag; f++)
			native |= strcmp(vma->flag[f], "gd") == 0;
		return native && (t->altstack_flags & SS_ONSTACK) == 0;
	}
	return false;
}

bool plan_can_leave(const struct plan *p)
{
	if (!p->place->way.syscall_ret || !p->place->way.sigreturn)
		return false;
	for (size_t i = 0; i < p->image->n_thread; i++)
		if (p->image->thread[i]->regs.len != sizeof(struct user_regs_struct) ||
		    !on_own_stack(p, p->image->thread[i]))
			return false;
	return true;
}

/* How many of the first pages are stored before this one; false: it is left to the pager. */
static bool first_before(const struct place *at, uint64_t page, uint64_t *ret)
{
	uint64_t before = 0;

	for (size_t i = 0; i < at->n_first && at->first[i].page <= page; i++) {
		if (page < at->first[i].page + at->first[i].pages) {
			*ret = before + (page - at->first[i].page);
			return true;
		}
		before += at->first[i].pages;
	}
	return false;
}

/* A word of a page of the image, by its number. Where it is read from the file it is verified before the plan uses it.
 */
static bool page_word(const struct place *at, uint64_t page, uint64_t offset, uint32_t *ret)
{
	uint64_t before;

	if (!at->lazy) {
		memcpy(ret, (const void *)(at->staging + page * 4096 + offset), sizeof(*ret));
		return true;
	}
	return first_before(at, page, &before) &&
	       pread(at->image_fd, ret, sizeof(*ret), (off_t)(at->first_offset + before * 4096 + offset)) ==
	               sizeof(*ret);
}

/* The 32-bit word at an address of the image, where that is there from the start. */
static bool image_word(const struct plan *p, uint64_t addr, uint32_t *ret)
{
	uint64_t page = 0;

	if (addr % sizeof(*ret))
		return false; /* no futex */
	for (size_t i = 0; i < p->image->n_run_addr; page += p->image->run_pages[i++]) {
		uint64_t start = p->image->run_addr[i], len = (uint64_t)p->image->run_pages[i] * 4096;

		if (addr < start || addr >= start + len)
			continue;
		/* where it is not, such a thread waits for GO like any other */
		return page_word(p->place, page + (addr - start) / 4096, addr % 4096, ret);
	}
	return false;
}

bool plan_waits_untimed(const struct plan *p, const thread_t *t)
{
	struct user_regs_struct regs;
	uint32_t word;
	int op;

	memcpy(&regs, t->regs.data, sizeof(regs));
	op = (int)(regs.rsi & ~(uint64_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME));
	/* orig_rax: it was stopped inside the call (snapshot/tracee.c) */
	if (regs.orig_rax != SYS_futex || regs.rax != SYS_futex || (op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET) ||
	    regs.r10 != 0)
		return false;
	/* It would wait on only if the word is what it expects; and a pending signal could make it run. */
	if (p->image->process->n_pending || t->n_pending || !image_word(p, regs.rdi, &word) ||
	    word != (uint32_t)regs.rdx)
		return false;
	return true;
}

static void count_out(struct plan *p, const thread_t *t, uint64_t word, uint64_t frame)
{
	uint64_t unused = plan_data(p, NULL, 8, 8);

	/* *word += 1; wake whoever waits for it */
	plan_op(p,
	        (struct rop){.kind = ROP_LEAVE,
	                     .nr = SYS_futex,
	                     .expect = frame,
	                     .args = {unused, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, 1, word,
	                              FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_GE, 0)}},
	        "become thread %d, and be counted out", t->tid);
}

static void leave_main(struct plan *p, const thread_t *t, uint64_t frame)
{
	uint64_t n_left = p->place->arena + offsetof(struct arena, n_left);
	uint64_t late = 0;

	for (size_t i = 1; i < p->image->n_thread; i++)
		late += !(plan_can_leave(p) && plan_waits_untimed(p, p->image->thread[i]));
	if (late)
		plan_op(p, (struct rop){.kind = ROP_WAKE}, "release the threads");
	if (!plan_can_leave(p)) {
		plan_op(p, (struct rop){.kind = ROP_SIGRETURN, .args = {frame}}, "become thread %d", t->tid);
		return;
	}
	if (late)
		plan_op(p, (struct rop){.kind = ROP_GATHER, .args = {late, n_left}}, "until they are out");
	plan_op(p,
	        (struct rop){
	                .kind = ROP_LEAVE, .nr = SYS_munmap, .expect = frame, .args = {p->place->arena, ARENA_ROOM}},
	        "become thread %d, and unmap the arena", t->tid);
}

void plan_leave(struct plan *p, const thread_t *t, enum leave when, uint64_t frame)
{
	if (when == LEAVE_MAIN) {
		leave_main(p, t, frame);
		return;
	}
	if (when == LEAVE_EARLY) {
		count_out(p, t, p->place->arena + offsetof(struct arena, n_parked), frame);
		return;
	}
	plan_op(p, (struct rop){.kind = ROP_WAIT}, "thread %d parks", t->tid);
	if (plan_can_leave(p))
		count_out(p, t, p->place->arena + offsetof(struct arena, n_left), frame);
	else
		plan_op(p, (struct rop){.kind = ROP_SIGRETURN, .args = {frame}}, "become thread %d", t->tid);
}
