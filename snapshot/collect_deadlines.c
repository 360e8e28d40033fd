/* SPDX-License-Identifier: MIT */
/*
 * Deadlines that threads wait for: absolute times of a clock that counts from the machine's start, in memory of the
 * program's own. libc's waits with a time limit (condition variables, semaphores, sleep until) end in one of two system
 * calls that take one. Both begin anew in a clone (snapshot/tracee.c), with the time that is there by then.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/err.h"
#include "snapshot/subject.h"

/* Returns the address of what the thread waits for, or 0. Dates (CLOCK_REALTIME) are no business of ours: they mean the
 * same on the day of the launch. */
static uint64_t waits_until(const struct user_regs_struct *regs, int *ret_clock)
{
	const uint64_t op = regs->rsi & ~(uint64_t)FUTEX_PRIVATE_FLAG;

	*ret_clock = regs->orig_rax == SYS_futex ? CLOCK_MONOTONIC : (int)regs->rdi;
	if (regs->rax != regs->orig_rax)
		return 0;
	if (regs->orig_rax == SYS_futex && op == FUTEX_WAIT_BITSET)
		return regs->r10;
	if (regs->orig_rax == SYS_clock_nanosleep && regs->rsi == TIMER_ABSTIME &&
	    (*ret_clock == CLOCK_MONOTONIC || *ret_clock == CLOCK_BOOTTIME))
		return regs->rdx;
	return 0;
}

/* A constant, or what a file has, is left alone. */
static bool is_own(const Warm__Image__Image *image, uint64_t address)
{
	for (size_t i = 0; i < image->n_vma; i++) {
		const Warm__Image__Vma *vma = image->vma[i];

		if (address >= vma->start && address + sizeof(struct timespec) <= vma->end)
			return (vma->prot & PROT_WRITE) && (vma->kind == WARM__IMAGE__VMA_KIND__ANON ||
			                                    vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON ||
			                                    (vma->kind == WARM__IMAGE__VMA_KIND__FILE && !vma->shared));
	}
	return false;
}

/* Two threads may wait for one. */
static bool is_known(const Warm__Image__Image *image, uint64_t address)
{
	for (size_t i = 0; i < image->n_deadline; i++)
		if (image->deadline[i]->address == address)
			return true;
	return false;
}

int collect_deadlines(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->n_threads; i++) {
		Warm__Image__Deadline *deadline;
		struct timespec now;
		int clock;
		uint64_t address = waits_until(&s->thread[i].regs, &clock);

		if (!is_own(s->image, address) || is_known(s->image, address))
			continue;
		deadline = malloc(sizeof(*deadline));
		if (!deadline)
			return err_sys(err, ENOMEM, "deadlines");
		warm__image__deadline__init(deadline);
		if (GROW(s->image, deadline, deadline) < 0)
			return err_sys(err, ENOMEM, "deadlines");
		clock_gettime(clock, &now);
		deadline->address = address;
		deadline->clock = clock;
		deadline->now_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
	}
	return 0;
}
