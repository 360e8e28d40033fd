/* SPDX-License-Identifier: MIT */
/* Threads: each is born with its tid, sets up what belongs to it, and parks until GO. */
#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "base/err.h"
#include "plugins/warm_plugin.h"
#include "restore/plan.h"
#include "restore/threads_internal.h"

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002

typedef Warm__Image__Thread thread_t;

static void plan_pending(struct plan *p, const thread_t *t)
{
	for (size_t i = 0; i < t->n_pending; i++) {
		const siginfo_t *info = (const siginfo_t *)t->pending[i].data;

		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_rt_tgsigqueueinfo,
		                     .args = {(uint64_t)p->image->process->pid, (uint64_t)t->tid,
		                              (uint64_t)info->si_signo, plan_data(p, info, t->pending[i].len, 8)}},
		        "pending signal %d of thread %d", info->si_signo, t->tid);
	}
}

/* By the thread itself; the main thread too. */
int plan_thread_state(struct plan *p, const thread_t *t, struct err *err)
{
	struct user_regs_struct regs;
	stack_t stack = {.ss_sp = (void *)t->altstack_sp, .ss_size = t->altstack_size};

	if (t->regs.len != sizeof(regs))
		return err_set(err, EBADMSG, "registers of thread %d have a size that is not known", t->tid);
	memcpy(&regs, t->regs.data, sizeof(regs));
	PLAN_SYS(p, SYS_arch_prctl, "fs base", ARCH_SET_FS, regs.fs_base);
	if (regs.gs_base)
		PLAN_SYS(p, SYS_arch_prctl, "gs base", ARCH_SET_GS, regs.gs_base);
	PLAN_SYS(p, SYS_set_tid_address, "tid address", t->tid_address);
	PLAN_SYS(p, SYS_prctl, "thread name", PR_SET_NAME, plan_string(p, t->name));
	if (t->robust_list)
		PLAN_SYS(p, SYS_set_robust_list, "robust list", t->robust_list, t->robust_len);
	/* A thread that is on its alternate stack now cannot set it; the signal frame does (uc_stack). */
	if (!(t->altstack_flags & SS_DISABLE)) {
		stack.ss_flags = (int)(t->altstack_flags & ~(uint32_t)SS_ONSTACK);
		PLAN_SYS(p, SYS_sigaltstack, "alternate stack", plan_data(p, &stack, sizeof(stack), 8), 0);
	}
	plan_thread_settings(p, t);
	plan_pending(p, t);
	return 0;
}

/* rseq last: from then on the kernel writes into the thread's control block. */
static void plan_rseq(struct plan *p, const thread_t *t)
{
	if (t->rseq_addr)
		PLAN_SYS(p, SYS_rseq, "restartable sequences", t->rseq_addr, t->rseq_len, 0, t->rseq_signature);
}

static int plan_thread(struct plan *p, const thread_t *t, uint32_t clone_op, struct err *err)
{
	struct clone_args args = {.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
	                                   CLONE_SYSVSEM,
	                          .stack_size = PLAN_STACK,
	                          .set_tid_size = 1};
	bool own_stack = plan_can_leave(p);
	uint64_t frame = 0;
	int r;

	args.stack = plan_data(p, NULL, PLAN_STACK, 64);
	args.set_tid = plan_data(p, &t->tid, sizeof(t->tid), 4);
	p->op[clone_op].args[0] = plan_data(p, &args, sizeof(args), 8);
	p->op[clone_op].args[1] = sizeof(args);
	p->op[clone_op].args[2] = p->n_ops;
	p->op[clone_op].args[3] = args.stack + PLAN_STACK;
	r = plan_thread_state(p, t, err);
	if (r == 0)
		r = plan_sigframe(p, t, own_stack, &frame, err);
	if (r < 0)
		return r;
	plan_credentials(p, false);
	plan_rseq(p, t);
	plan_leave(p, t, own_stack && plan_waits_untimed(p, t) ? LEAVE_EARLY : LEAVE_AT_GO, frame);
	return 0;
}

int plan_threads(struct plan *p, struct err *err)
{
	size_t n = p->image->n_thread - 1;
	uint32_t first = (uint32_t)p->n_ops, jump;

	if (p->image->n_thread == 0)
		return err_set(err, EBADMSG, "the image has no thread");
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		plan_op(p, (struct rop){.kind = ROP_CLONE}, "make thread %d", p->image->thread[i + 1]->tid);
	plan_op(p, (struct rop){.kind = ROP_GATHER, .args = {n, p->place->arena + offsetof(struct arena, n_parked)}},
	        "until all threads are parked");
	jump = plan_op(p, (struct rop){.kind = ROP_JUMP}, "go on");
	for (size_t i = 0; i < n && !p->failed; i++) {
		int r = plan_thread(p, p->image->thread[i + 1], first + (uint32_t)i, err);

		if (r < 0)
			return r;
	}
	if (!p->failed)
		p->op[jump].args[0] = p->n_ops;
	return 0;
}

/* ---- GO: phase 3 ------------------------------------------------------------------------------------------------ */

int plan_go(struct plan *p, struct err *err)
{
	const thread_t *t = p->image->thread[0];
	const struct place *at = p->place;
	uint64_t frame = 0;
	int r = plan_thread_state(p, t, err);

	if (r == 0)
		r = plan_sigframe(p, t, plan_can_leave(p), &frame, err);
	if (r < 0)
		return r;
	plan_rseq(p, t);
	plan_credentials(p, true);
	plan_keys_user(p);
	plan_plugin_ops(p, WARM_STANDBY); /* with the program's own rights */
	plan_random(p);
	plan_task_last(p);
	plan_touch(p);
	plan_op(p, (struct rop){.kind = ROP_STANDBY, .args = {(uint64_t)GO_FD(at)}}, "park as standby");
	plan_task_place(p);
	plan_files_open(p);
	plan_plugin_ops(p, WARM_GO);
	plan_task_root(p);
	plan_op(p, (struct rop){.kind = ROP_GO}, "what this launch brings");
	plan_threads_apart(p);
	plan_files_watch(p);
	plan_files_owner(p);
	plan_files_lock(p);
	plan_timers_arm(p);
	plan_deadlines(p);
	plan_signals_redraw(p);
	plan_op(p, (struct rop){.kind = ROP_TOKEN}, "take the token");
	PLAN_SYS(p, SYS_close_range, "close the restorer's descriptors", (uint64_t)at->fd_base, ~0u, 0);
	plan_leave(p, t, LEAVE_MAIN, frame);
	return 0;
}
