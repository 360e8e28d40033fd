/* SPDX-License-Identifier: MIT */
/* A timer that signals a thread which has ended.
 * victim: refused "timer %d signals a thread that has ended" */

#include "victim.h"

static atomic_int started, may_end;
static pid_t other_tid;

static void *other(void *arg)
{
	other_tid = (pid_t)syscall(SYS_gettid);
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	return arg;
}

int main(void)
{
	struct itimerspec t = {{0, 0}, {1000, 0}}, seen;
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	pthread_t thread;
	timer_t timer;

	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	CHECK(reached(&started, 1));
	event._sigev_un._tid = other_tid;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &t, NULL) == 0);
	atomic_store(&may_end, 1);
	pthread_join(thread, NULL);
	hook();
	CHECK(timer_gettime(timer, &seen) == 0 && seen.it_value.tv_sec > 900);
	return pass();
}
