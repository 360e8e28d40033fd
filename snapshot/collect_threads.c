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
#include "snapshot/pending.h"
#include "snapshot/threads_internal.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31) /* <linux/signal.h> does not go together with <signal.h> */
#endif

/* Told to who may change it (CAP_SYS_NICE), else to the thread alone: false. */
static bool take_timer_slacks(struct subject *s, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		CLEAN(free) char *text = NULL;
		char path[48];

		snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", s->thread[i].tid);
		if (fd_read_file_at(AT_FDCWD, path, 64, &text, NULL) < 0)
			return false;
		s->image->thread[i]->timer_slack_ns = strtoull(text, NULL, 10);
	}
	return true;
}

/* Where it is asked from, its stack pointer is elsewhere. */
static void take_altstack(Warm__Image__Thread *thread, stack_t *stack, uint64_t rsp)
{
	thread->altstack_sp = (uint64_t)stack->ss_sp;
	thread->altstack_size = stack->ss_size;
	if (!(stack->ss_flags & (SS_DISABLE | (int)SS_AUTODISARM)) &&
	    rsp - thread->altstack_sp - 1 < thread->altstack_size)
		stack->ss_flags |= SS_ONSTACK;
	thread->altstack_flags = (uint32_t)stack->ss_flags;
}

/* Its number in its own namespace, and what else its files in /proc say. */
static int take_files(struct subject *s, pid_t tid, Warm__Image__Thread *thread, struct err *err)
{
	CLEAN(free) char *text = NULL;
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
	thread->name = strdup(status.name);
	r = tid == s->pid ? 0 : same_credentials(s, &status, tid, err);
	proc_status_fini(&status);
	if (!thread->name)
		return err_sys(err, ENOMEM, "threads");
	return r < 0 ? r : take_thread_settings(s, thread, tid, text, err);
}

/* What is seen from here. */
static int look_at(struct subject *s, struct tracee *t, Warm__Image__Thread *thread, struct err *err)
{
	void *robust = NULL;
	size_t robust_len = 0;
	int r;

	if ((r = take_files(s, t->tid, thread, err)) < 0)
		return r;
	thread->sigmask = t->sigmask;
	if (syscall(SYS_get_robust_list, t->tid, &robust, &robust_len) < 0)
		return err_sys(err, errno, "robust list of thread %d", t->tid);
	thread->robust_list = (uint64_t)robust;
	thread->robust_len = robust_len;
	if ((r = pending_take(s, t, false, &thread->pending, &thread->n_pending, err)) < 0 ||
	    (r = tracee_rseq(t, &thread->rseq_addr, &thread->rseq_len, &thread->rseq_signature, err)) < 0)
		return r;
	/* The last: a frame takes all that from here once this is there (snapshot/inject.c). */
	return tracee_xstate(t, &thread->xstate.data, &thread->xstate.len, err);
}

/* What only the threads themselves can ask. */
static int ask(struct subject *s, size_t first, size_t n, struct err *err)
{
	Warm__Image__Thread **thread = s->image->thread + first;
	uint8_t answer[THREADS_ASKED][ANSWER_SIZE];
	long ret[THREADS_ASKED];
	int r;

	if ((r = subject_ask_threads(s, first, n, ret, SYS_sigaltstack, 0, err)) < 0 ||
	    (r = subject_read(s, s->scratch, answer, n * ANSWER_SIZE, err)) < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		stack_t stack;

		if (ret[i] < 0)
			return err_sys(err, (int)-ret[i], "alternate stack of thread %d", thread[i]->tid);
		memcpy(&stack, answer[i], sizeof(stack));
		take_altstack(thread[i], &stack, s->thread[first + i].raw.rsp);
	}
	if ((r = subject_ask_threads(s, first, n, ret, SYS_prctl, PR_GET_TID_ADDRESS, err)) < 0 ||
	    (r = subject_read(s, s->scratch, answer, n * ANSWER_SIZE, err)) < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (ret[i] < 0)
			return err_sys(err, (int)-ret[i], "tid address of thread %d", thread[i]->tid);
		memcpy(&thread[i]->tid_address, answer[i], sizeof(thread[i]->tid_address));
	}
	if (take_timer_slacks(s, first, n))
		return 0;
	r = subject_ask_threads(s, first, n, ret, SYS_prctl, PR_GET_TIMERSLACK, err);
	for (size_t i = 0; i < n && r == 0; i++)
		thread[i]->timer_slack_ns = (uint64_t)ret[i];
	return r;
}

/* Behind the questions: whoever was in a critical section has left it. */
static int take_registers(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->n_threads; i++) {
		Warm__Image__Thread *thread = s->image->thread[i];

		thread->regs = bytes_copy(&s->thread[i].regs, sizeof(s->thread[i].regs));
		if (!thread->regs.data)
			return err_sys(err, ENOMEM, "threads");
	}
	return 0;
}

int collect_threads(struct subject *s, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n_threads && r == 0; i++) {
		Warm__Image__Thread *thread = malloc(sizeof(*thread));

		if (thread)
			warm__image__thread__init(thread);
		if (!thread || GROW(s->image, thread, thread) < 0)
			return err_sys(err, ENOMEM, "threads");
		thread->name = NULL;
		r = look_at(s, &s->thread[i], thread, err);
		if (r == 0 && i && GROW(s->summary, tid, thread->tid) < 0)
			r = err_sys(err, ENOMEM, "threads");
	}
	/* The main thread keeps its frame: it is asked more. */
	for (size_t i = 0, n; i < s->n_threads && r == 0; i += n) {
		n = i ? s->n_threads - i : 1;
		n = n < THREADS_ASKED ? n : THREADS_ASKED;
		r = ask(s, i, n, err);
		if (i && r == 0)
			subject_threads_asked(s, i, n);
	}
	return r < 0 ? r : take_registers(s, err);
}
