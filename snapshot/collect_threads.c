/* SPDX-License-Identifier: MIT */
/* Threads: registers, floating point, signal mask, alternate stack, robust list, rseq, tid address, name, scheduling.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/threads_internal.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31) /* <linux/signal.h> does not go together with <signal.h> */
#endif

/* Told to who may change it (CAP_SYS_NICE), else to the thread alone. */
static int take_timer_slack(struct subject *s, struct tracee *t, Warm__Image__Thread *thread, struct err *err)
{
	CLEAN(free) char *text = NULL;
	char path[48];
	long slack;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", t->tid);
	if (fd_read_file_at(AT_FDCWD, path, 64, &text, NULL) == 0) {
		thread->timer_slack_ns = strtoull(text, NULL, 10);
		return 0;
	}
	r = subject_thread_syscall(s, t, &slack, SYS_prctl, PR_GET_TIMERSLACK, 0, 0, err);
	thread->timer_slack_ns = (uint64_t)slack;
	return r;
}

/* What only the thread itself can ask. */
static int ask_thread(struct subject *s, struct tracee *t, Warm__Image__Thread *thread, struct err *err)
{
	stack_t stack;
	uint64_t tid_address;
	long ret, ret2;
	int r;

	if ((r = subject_thread_syscall(s, t, &ret, SYS_sigaltstack, 0, s->scratch, 0, err)) < 0 ||
	    (r = subject_thread_syscall(s, t, &ret2, SYS_prctl, PR_GET_TID_ADDRESS, s->scratch + sizeof(stack), 0,
	                                err)) < 0 ||
	    (r = take_timer_slack(s, t, thread, err)) < 0 ||
	    (r = subject_read(s, s->scratch, &stack, sizeof(stack), err)) < 0 ||
	    (r = subject_read(s, s->scratch + sizeof(stack), &tid_address, sizeof(tid_address), err)) < 0)
		return r;
	if (ret < 0 || ret2 < 0)
		return err_sys(err, (int)-(ret < 0 ? ret : ret2), "alternate stack or tid address of thread %d",
		               t->tid);
	thread->altstack_sp = (uint64_t)stack.ss_sp;
	thread->altstack_size = stack.ss_size;
	/* Where it is asked from, its stack pointer is elsewhere. */
	if (!(stack.ss_flags & (SS_DISABLE | (int)SS_AUTODISARM)) &&
	    t->raw.rsp - thread->altstack_sp - 1 < thread->altstack_size)
		stack.ss_flags |= SS_ONSTACK;
	thread->altstack_flags = (uint32_t)stack.ss_flags;
	thread->tid_address = tid_address;
	return 0;
}

static int take_pending(Warm__Image__Thread *thread, const struct tracee *t, struct err *err)
{
	CLEAN(free) uint8_t *infos = NULL;
	size_t n = 0;
	int r = tracee_pending(t, 0, &infos, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (GROW(thread, pending, bytes_copy(infos + i * sizeof(siginfo_t), sizeof(siginfo_t))) < 0)
			r = err_sys(err, ENOMEM, "pending signals");
	return r;
}

/* Its number in its own namespace, and what else its files in /proc say. */
static int take_files(struct subject *s, pid_t tid, Warm__Image__Thread *thread, struct err *err)
{
	CLEAN(free) char *text = NULL;
	CLEAN(free) char *comm = NULL;
	struct proc_status status = {0};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "task/%d/status", tid);
	r = fd_read_file_at(s->proc_fd, path, 1 << 20, &text, NULL);
	if (r == 0)
		r = proc_status_parse(text, &status);
	if (r < 0)
		return err_sys(err, -r, "status of thread %d", tid);
	thread->tid = status.nspid[status.n_nspid - 1];
	proc_status_fini(&status);
	snprintf(path, sizeof(path), "task/%d/comm", tid);
	r = fd_read_file_at(s->proc_fd, path, 64, &comm, NULL);
	if (r < 0)
		return err_sys(err, -r, "name of thread %d", tid);
	comm[strcspn(comm, "\n")] = 0;
	thread->name = take_ptr(comm);
	return take_thread_settings(s, thread, tid, text, err);
}

static int collect_thread(struct subject *s, struct tracee *t, struct err *err)
{
	Warm__Image__Thread *thread = malloc(sizeof(*thread));
	uint8_t *xstate = NULL;
	size_t len = 0;
	void *robust = NULL;
	size_t robust_len = 0;
	int r;

	if (!thread)
		return err_sys(err, ENOMEM, "threads");
	warm__image__thread__init(thread);
	if (GROW(s->image, thread, thread) < 0)
		return err_sys(err, ENOMEM, "threads");
	thread->name = NULL;
	if ((r = take_files(s, t->tid, thread, err)) < 0 || (r = tracee_xstate(t, &xstate, &len, err)) < 0)
		return r;
	thread->xstate.data = xstate;
	thread->xstate.len = len;
	thread->sigmask = t->sigmask;
	if (syscall(SYS_get_robust_list, t->tid, &robust, &robust_len) < 0)
		return err_sys(err, errno, "robust list of thread %d", t->tid);
	thread->robust_list = (uint64_t)robust;
	thread->robust_len = robust_len;
	if ((r = tracee_rseq(t, &thread->rseq_addr, &thread->rseq_len, &thread->rseq_signature, err)) < 0 ||
	    (r = take_pending(thread, t, err)) < 0 || (r = ask_thread(s, t, thread, err)) < 0)
		return r;
	thread->regs = bytes_copy(&t->regs, sizeof(t->regs));
	return thread->regs.data ? 0 : err_sys(err, ENOMEM, "threads");
}

int collect_threads(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->n_threads; i++) {
		int r = collect_thread(s, &s->thread[i], err);

		if (r < 0)
			return r;
		if (i && GROW(s->summary, tid, s->image->thread[i]->tid) < 0)
			return err_sys(err, ENOMEM, "threads");
	}
	return 0;
}
