/* SPDX-License-Identifier: MIT */
/* setitimer(2) and POSIX timers: made in the standby with their ids, armed at GO. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/err.h"
#include "base/uapi.h"
#include "restore/plan.h"

static uint64_t sigevent_data(struct plan *p, const Warm__Image__PosixTimer *timer)
{
	struct sigevent event = {0};

	event.sigev_value.sival_ptr = (void *)timer->value;
	event.sigev_signo = (int)timer->signal;
	event.sigev_notify = (int)timer->notify;
	event._sigev_un._tid = timer->tid;
	return plan_data(p, &event, sizeof(event), 8);
}

/* Timers that signal a thread need the thread: those are made behind plan_threads(). */
static void make_timer(struct plan *p, const Warm__Image__PosixTimer *timer)
{
	uint64_t id = plan_data(p, &timer->id, sizeof(timer->id), 4);

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_timer_create,
	                     .args = {(uint64_t)(int64_t)timer->clock, sigevent_data(p, timer), id}},
	        "make timer %d", timer->id);
}

static void make_timers(struct plan *p, bool of_threads)
{
	const Warm__Image__Process *process = p->image->process;
	bool any = false;

	for (size_t i = 0; i < process->n_timer; i++) {
		if (((process->timer[i]->notify & SIGEV_THREAD_ID) != 0) != of_threads)
			continue;
		if (!any)
			PLAN_SYS(p, SYS_prctl, "timers get the ids they had", PR_TIMER_CREATE_RESTORE_IDS, 1);
		any = true;
		make_timer(p, process->timer[i]);
	}
	if (any)
		PLAN_SYS(p, SYS_prctl, "timer ids as usual", PR_TIMER_CREATE_RESTORE_IDS, 0);
}

int plan_timers_make(struct plan *p, struct err *err)
{
	(void)err;
	make_timers(p, false);
	return 0;
}

static void arm_itimers(struct plan *p)
{
	const Warm__Image__Process *process = p->image->process;

	for (size_t i = 0; i < process->n_itimer; i++) {
		const Warm__Image__Itimer *t = process->itimer[i];
		/* One that has expired begins its next period when the signal is taken: 0 would disarm it. */
		int64_t value_us = t->value_us ? t->value_us : t->interval_us;
		struct itimerval value = {{t->interval_us / 1000000, t->interval_us % 1000000},
		                          {value_us / 1000000, value_us % 1000000}};

		if (value_us)
			PLAN_SYS(p, SYS_setitimer, "arm an interval timer", i, plan_data(p, &value, sizeof(value), 8),
			         0);
	}
}

void plan_timers_arm(struct plan *p)
{
	const Warm__Image__Process *process = p->image->process;

	make_timers(p, true);
	for (size_t i = 0; i < process->n_timer; i++) {
		const Warm__Image__PosixTimer *t = process->timer[i];
		int64_t value_ns = t->remaining_ns;
		struct itimerspec value = {{t->interval_ns / 1000000000, t->interval_ns % 1000000000},
		                           {value_ns / 1000000000, value_ns % 1000000000}};

		if (value_ns)
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .nr = SYS_timer_settime,
			                     .args = {(uint64_t)t->id, 0, plan_data(p, &value, sizeof(value), 8), 0}},
			        "arm timer %d", t->id);
	}
	arm_itimers(p);
}
