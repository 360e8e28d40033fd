/* SPDX-License-Identifier: MIT */
/* setitimer(2) timers and POSIX timers (/proc/PID/timers); both keep the distance to their next expiry. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/subject.h"

/* CPU time of the process that makes the timer: clock_getcpuclockid(3) of 0 */
#define CLOCK_OF_PROCESS (-6)

static int take_itimers(struct subject *s, struct err *err)
{
	for (uint64_t which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		Warm__Image__Itimer *itimer = malloc(sizeof(*itimer));
		struct itimerval value;
		long ret;
		int r;

		if (!itimer)
			return err_sys(err, ENOMEM, "timers");
		warm__image__itimer__init(itimer);
		if (GROW(s->image->process, itimer, itimer) < 0)
			return err_sys(err, ENOMEM, "timers");
		r = subject_syscall(s, &ret, SYS_getitimer, which, s->scratch, 0, 0, err);
		if (r == 0)
			r = subject_read(s, s->scratch, &value, sizeof(value), err);
		if (r)
			return r;
		itimer->interval_us = value.it_interval.tv_sec * 1000000 + value.it_interval.tv_usec;
		itimer->value_us = value.it_value.tv_sec * 1000000 + value.it_value.tv_usec;
	}
	return 0;
}

static int take_remaining(struct subject *s, Warm__Image__PosixTimer *timer, struct err *err)
{
	struct itimerspec value;
	long ret;
	int r = subject_syscall(s, &ret, SYS_timer_gettime, (uint64_t)timer->id, s->scratch, 0, 0, err);

	if (r == 0)
		r = subject_read(s, s->scratch, &value, sizeof(value), err);
	if (r)
		return r;
	if (ret < 0)
		return err_sys(err, (int)-ret, "timer %d", timer->id);
	timer->interval_ns = value.it_interval.tv_sec * 1000000000LL + value.it_interval.tv_nsec;
	timer->remaining_ns = value.it_value.tv_sec * 1000000000LL + value.it_value.tv_nsec;
	return 0;
}

/* "ID: 0\nsignal: 14/00007ffd…\nnotify: signal/pid.1234\nClockID: 0\n" for each timer. */
static int take_posix_timers(struct subject *s, const char *text, struct err *err)
{
	while (*text) {
		Warm__Image__PosixTimer *timer;
		char how[32], whom[8];
		unsigned long value;
		unsigned sig;
		int id, clock, target, used = 0;
		int r;

		if (sscanf(text, "ID: %d\nsignal: %u/%lx\nnotify: %31[^/]/%7[^.].%d\nClockID: %d\n%n", &id, &sig,
		           &value, how, whom, &target, &clock, &used) < 7 ||
		    !used)
			return err_set(err, EPROTO, "the timers of process %d cannot be read", s->pid);
		text += used;
		timer = malloc(sizeof(*timer));
		if (!timer)
			return err_sys(err, ENOMEM, "timers");
		warm__image__posix_timer__init(timer);
		if (GROW(s->image->process, timer, timer) < 0)
			return err_sys(err, ENOMEM, "timers");
		timer->id = id;
		timer->clock = clock;
		timer->signal = sig;
		timer->value = value;
		timer->notify = strcmp(how, "none") == 0     ? SIGEV_NONE
		                : strcmp(how, "thread") == 0 ? SIGEV_THREAD
		                                             : SIGEV_SIGNAL;
		if (strcmp(whom, "tid") == 0) {
			timer->notify |= SIGEV_THREAD_ID;
			for (size_t i = 0; i < s->n_threads; i++)
				if (s->thread[i].tid == target)
					timer->tid = s->image->thread[i]->tid;
			if (!timer->tid)
				return err_refuse(err, "delete it before the snapshot",
				                  "timer %d signals a thread that has ended", id);
		}
		if (clock < 0 && clock != CLOCK_OF_PROCESS)
			return err_refuse(err, "delete it before the snapshot",
			                  "timer %d runs on the clock of a thread, another process or a device", id);
		r = take_remaining(s, timer, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int collect_timers(struct subject *s, struct err *err)
{
	CLEAN(free) char *text = NULL;
	int r = fd_read_file_at(s->proc_fd, "timers", 1 << 20, &text, NULL);

	if (r < 0)
		return err_sys(err, -r, "timers of process %d", s->pid);
	/* Before the pending signals: a timer that expires in between is in both then, and not in neither. */
	r = take_itimers(s, err);
	return r < 0 ? r : take_posix_timers(s, text, err);
}
