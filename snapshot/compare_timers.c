/* SPDX-License-Identifier: MIT */
/* Timers run down while a clone is on its way: what is left is the same or somewhat less. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "snapshot/compare.h"

#define WAY_NS   INT64_C(15000000000) /* a clone is never on its way for longer (tracees_become) */
#define ROUND_NS INT64_C(10000000)    /* the kernel rounds up to its tick where it counts CPU time */

int same_remaining(int64_t was_ns, int64_t is_ns, struct err *err, const char *fmt, ...)
{
	char words[160];
	va_list args;

	if (is_ns <= was_ns + ROUND_NS && (was_ns - is_ns < WAY_NS || (is_ns == 0 && was_ns < WAY_NS)))
		return 0;
	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	return err_set(err, EUCLEAN, "%s expires in %ld ms, was %ld ms", words, (long)(is_ns / 1000000),
	               (long)(was_ns / 1000000));
}

static int compare_itimers(const Warm__Image__Process *was, const Warm__Image__Process *is, struct err *err)
{
	int r = same_number(was->n_itimer, is->n_itimer, err, "number of interval timers");

	for (size_t i = 0; r == 0 && i < was->n_itimer; i++) {
		r = same_number((uint64_t)was->itimer[i]->interval_us, (uint64_t)is->itimer[i]->interval_us, err,
		                "period of interval timer %zu", i);
		/* An interval timer that has expired is armed anew for a whole period. */
		if (r == 0 && !(was->itimer[i]->interval_us && is->itimer[i]->value_us))
			r = same_remaining(was->itimer[i]->value_us * 1000, is->itimer[i]->value_us * 1000, err,
			                   "interval timer %zu", i);
	}
	return r;
}

static int compare_timer(const Warm__Image__PosixTimer *was, const Warm__Image__PosixTimer *is, struct err *err)
{
	int r;

	if ((r = same_number((uint64_t)was->clock, (uint64_t)is->clock, err, "clock of timer %d", was->id)) < 0 ||
	    (r = same_number(was->notify, is->notify, err, "notification of timer %d", was->id)) < 0 ||
	    (r = same_number(was->signal, is->signal, err, "signal of timer %d", was->id)) < 0 ||
	    (r = same_number(was->value, is->value, err, "value of timer %d", was->id)) < 0 ||
	    (r = same_number((uint64_t)was->tid, (uint64_t)is->tid, err, "thread of timer %d", was->id)) < 0 ||
	    (r = same_number((uint64_t)was->interval_ns, (uint64_t)is->interval_ns, err, "period of timer %d",
	                     was->id)) < 0)
		return r;
	if (was->interval_ns && was->remaining_ns && is->remaining_ns)
		return 0; /* it may have begun another period */
	return same_remaining(was->remaining_ns, is->remaining_ns, err, "timer %d", was->id);
}

static const Warm__Image__PosixTimer *timer_of(const Warm__Image__Process *process, int32_t id)
{
	for (size_t i = 0; i < process->n_timer; i++)
		if (process->timer[i]->id == id)
			return process->timer[i];
	return NULL;
}

int compare_timers(const Warm__Image__Image *want, const Warm__Image__Image *got, struct err *err)
{
	const Warm__Image__Process *was = want->process, *is = got->process;
	int r = same_number(was->n_timer, is->n_timer, err, "number of POSIX timers");

	for (size_t i = 0; r == 0 && i < was->n_timer; i++) {
		const Warm__Image__PosixTimer *timer = timer_of(is, was->timer[i]->id);

		r = timer ? compare_timer(was->timer[i], timer, err)
		          : err_set(err, EUCLEAN, "timer %d is not there", was->timer[i]->id);
	}
	return r < 0 ? r : compare_itimers(was, is, err);
}
