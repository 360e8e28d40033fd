/* SPDX-License-Identifier: MIT */
/* Scheduling and other settings of a thread's own (snapshot/collect_thread_settings.c). */
#include <linux/ioprio.h>
#include <linux/prctl.h>
#include <linux/sched/types.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "restore/plan.h"
#include "restore/threads_internal.h"

#define DEFAULT_SLACK 50000 /* ns: prctl(2) */

typedef Warm__Image__Thread thread_t;

static void plan_speculation(struct plan *p, const thread_t *t)
{
	if (t->store_bypass)
		PLAN_SYS(p, SYS_prctl, "speculation: store bypass", PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS,
		         t->store_bypass, 0, 0);
	if (t->indirect_branch)
		PLAN_SYS(p, SYS_prctl, "speculation: indirect branches", PR_SET_SPECULATION_CTRL,
		         PR_SPEC_INDIRECT_BRANCH, t->indirect_branch, 0, 0);
}

/* By the thread itself, with the daemon's rights. */
void plan_thread_settings(struct plan *p, const thread_t *t)
{
	struct sched_attr attr = {.size = sizeof(attr),
	                          .sched_policy = t->sched_policy,
	                          .sched_flags = t->reset_on_fork ? 1 : 0,
	                          .sched_nice = t->nice,
	                          .sched_priority = t->sched_priority};

	if (t->timer_slack_ns && t->timer_slack_ns != DEFAULT_SLACK)
		PLAN_SYS(p, SYS_prctl, "timer slack", PR_SET_TIMERSLACK, t->timer_slack_ns);
	if (t->io_priority)
		PLAN_SYS(p, SYS_ioprio_set, "I/O priority", IOPRIO_WHO_PROCESS, 0, t->io_priority);
	if (t->mce_kill != PR_MCE_KILL_DEFAULT)
		PLAN_SYS(p, SYS_prctl, "what a machine check does", PR_MCE_KILL, PR_MCE_KILL_SET, t->mce_kill, 0, 0);
	plan_speculation(p, t);
	if (t->sched_policy || t->sched_priority || t->reset_on_fork)
		PLAN_SYS(p, SYS_sched_setattr, "scheduling policy", 0, plan_data(p, &attr, sizeof(attr), 8), 0);
}

/*
 * Niceness and processors are the launch's, but for a thread that had others than the main thread: those the program
 * chose itself. Where the launch's own are such that it may not have them, a cold start could not have chosen them
 * either.
 */
void plan_threads_apart(struct plan *p)
{
	const thread_t *first = p->image->thread[0];

	for (size_t i = 1; i < p->image->n_thread; i++) {
		const thread_t *t = p->image->thread[i];

		if (t->nice != first->nice)
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .want = WANT_ANY,
			                     .nr = SYS_setpriority,
			                     .args = {PRIO_PROCESS, (uint64_t)t->tid, (uint64_t)(int64_t)t->nice}},
			        "niceness of thread %d", t->tid);
		if (t->cpus.len &&
		    (t->cpus.len != first->cpus.len || memcmp(t->cpus.data, first->cpus.data, t->cpus.len) != 0))
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .nr = SYS_sched_setaffinity,
			                     .args = {(uint64_t)t->tid, t->cpus.len,
			                              plan_data(p, t->cpus.data, t->cpus.len, 8)}},
			        "processors of thread %d", t->tid);
	}
}
