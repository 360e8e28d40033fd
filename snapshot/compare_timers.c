/* SPDX-License-Identifier: MIT */
/*
 * Timers run down while a clone is on its way: what is left is the same, or less by no more than the way took. One that
 * had less to go may have expired, and then something has come of it: a signal, or expirations to be read. What does
 * not run and has nothing to show was never armed.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "snapshot/compare.h"

#define ROUND_NS INT64_C(10000000) /* the kernel rounds up to its tick where it counts CPU time */

typedef Warm__Image__Image image_t;
typedef Warm__Image__Process process_t;

static bool fits(const struct countdown *c, int64_t way_ns)
{
	if (c->was_ns == 0)
		return c->is_ns == 0;
	if (c->is_ns > 0 && c->is_ns <= c->was_ns + ROUND_NS && c->was_ns - c->is_ns <= way_ns)
		return true;
	if (c->was_ns > way_ns)
		return false;
	return c->is_ns == 0 ? c->shows : c->interval_ns && c->is_ns <= c->interval_ns + ROUND_NS;
}

int same_countdown(const struct countdown *c, const struct compared *clone, struct err *err, const char *fmt, ...)
{
	char words[160];
	va_list args;

	if (fits(c, compared_way_ns(clone) + ROUND_NS))
		return 0;
	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	if (c->is_ns == 0)
		return err_set(err, EUCLEAN, "%s does not run, had %ld ms to go", words, (long)(c->was_ns / 1000000));
	return err_set(err, EUCLEAN, "%s expires in %ld ms, was %ld ms", words, (long)(c->is_ns / 1000000),
	               (long)(c->was_ns / 1000000));
}

/* ---- the signal of one that has expired -------------------------------------------------------------------------- */

static bool is_among(const ProtobufCBinaryData *pending, size_t n, int signo)
{
	for (size_t i = 0; i < n; i++)
		if (((const siginfo_t *)pending[i].data)->si_signo == signo)
			return true;
	return false;
}

/* Nothing waits of a signal that is ignored. */
static bool is_ignored(const process_t *process, int signo)
{
	uint64_t handler = (uint64_t)SIG_DFL;

	if (signo > 0 && (size_t)signo <= process->n_sigaction && process->sigaction[signo - 1].len >= sizeof(handler))
		memcpy(&handler, process->sigaction[signo - 1].data, sizeof(handler));
	if (handler == (uint64_t)SIG_DFL)
		return signo == SIGCHLD || signo == SIGCONT || signo == SIGURG || signo == SIGWINCH;
	return handler == (uint64_t)SIG_IGN;
}

/* tid 0: of the process */
static bool has_come(const image_t *got, int32_t tid, int signo)
{
	if (is_ignored(got->process, signo) ||
	    (!tid && is_among(got->process->pending, got->process->n_pending, signo)))
		return true;
	for (size_t i = 0; tid && i < got->n_thread; i++)
		if (got->thread[i]->tid == tid)
			return is_among(got->thread[i]->pending, got->thread[i]->n_pending, signo);
	return false;
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static int compare_itimers(const process_t *was, const struct compared *clone, struct err *err)
{
	static const int signal_of[] = {SIGALRM, SIGVTALRM, SIGPROF};
	const process_t *is = clone->image->process;
	int r = same_number(was->n_itimer, is->n_itimer, err, "number of interval timers");

	for (size_t i = 0; r == 0 && i < was->n_itimer; i++) {
		const Warm__Image__Itimer *w = was->itimer[i];
		struct countdown c = {.was_ns = w->value_us * 1000,
		                      .is_ns = is->itimer[i]->value_us * 1000,
		                      .interval_ns = w->interval_us * 1000,
		                      .shows = i < 3 && has_come(clone->image, 0, signal_of[i])};

		if (c.was_ns == 0)
			c.was_ns = c.interval_ns; /* one that has expired is armed anew for a whole period */
		r = same_number((uint64_t)w->interval_us, (uint64_t)is->itimer[i]->interval_us, err,
		                "period of interval timer %zu", i);
		if (r == 0)
			r = same_countdown(&c, clone, err, "interval timer %zu", i);
	}
	return r;
}

static int compare_timer(const Warm__Image__PosixTimer *was, const Warm__Image__PosixTimer *is,
                         const struct compared *clone, struct err *err)
{
	const struct countdown c = {.was_ns = was->remaining_ns,
	                            .is_ns = is->remaining_ns,
	                            .interval_ns = was->interval_ns,
	                            .shows = was->notify == SIGEV_NONE ||
	                                     has_come(clone->image, was->tid, (int)was->signal)};
	int r;

	if ((r = same_number((uint64_t)was->clock, (uint64_t)is->clock, err, "clock of timer %d", was->id)) < 0 ||
	    (r = same_number(was->notify, is->notify, err, "notification of timer %d", was->id)) < 0 ||
	    (r = same_number(was->signal, is->signal, err, "signal of timer %d", was->id)) < 0 ||
	    (r = same_number(was->value, is->value, err, "value of timer %d", was->id)) < 0 ||
	    (r = same_number((uint64_t)was->tid, (uint64_t)is->tid, err, "thread of timer %d", was->id)) < 0 ||
	    (r = same_number((uint64_t)was->interval_ns, (uint64_t)is->interval_ns, err, "period of timer %d",
	                     was->id)) < 0)
		return r;
	return same_countdown(&c, clone, err, "timer %d", was->id);
}

static const Warm__Image__PosixTimer *timer_of(const process_t *process, int32_t id)
{
	for (size_t i = 0; i < process->n_timer; i++)
		if (process->timer[i]->id == id)
			return process->timer[i];
	return NULL;
}

int compare_timers(const image_t *want, const struct compared *clone, struct err *err)
{
	const process_t *was = want->process, *is = clone->image->process;
	int r = same_number(was->n_timer, is->n_timer, err, "number of POSIX timers");

	for (size_t i = 0; r == 0 && i < was->n_timer; i++) {
		const Warm__Image__PosixTimer *timer = timer_of(is, was->timer[i]->id);

		r = timer ? compare_timer(was->timer[i], timer, clone, err)
		          : err_set(err, EUCLEAN, "timer %d is not there", was->timer[i]->id);
	}
	return r < 0 ? r : compare_itimers(was, clone, err);
}
