/* SPDX-License-Identifier: MIT */
/* A timer on the CPU time of the process: it keeps its distance, and expires when that time was used up. */
#include "victim.h"

static atomic_int expired;

static void on_timer(int sig)
{
	(void)sig;
	atomic_fetch_add(&expired, 1);
}

int main(void)
{
	struct sigevent none = {.sigev_notify = SIGEV_NONE}, by_signal = {.sigev_signo = SIGUSR1};
	struct itimerspec far = {{5, 0}, {1000, 0}}, near = {{0, 0}, {0, 60000000}}, seen;
	timer_t distant, close_by, off;
	int64_t began;

	signal(SIGUSR1, on_timer);
	CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &none, &distant), 0);
	CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &by_signal, &close_by), 0);
	CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &none, &off), 0);
	CHECK(timer_settime(distant, 0, &far, NULL) == 0 && timer_settime(close_by, 0, &near, NULL) == 0);
	hook();
	CHECK_EQ(timer_gettime(distant, &seen), 0);
	CHECK(seen.it_interval.tv_sec == 5 && seen.it_value.tv_sec > 900 && seen.it_value.tv_sec <= 1000);
	CHECK_EQ(timer_gettime(off, &seen), 0);
	CHECK(seen.it_value.tv_sec == 0 && seen.it_value.tv_nsec == 0);
	began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	while (!atomic_load(&expired) && now_ns(CLOCK_PROCESS_CPUTIME_ID) - began < 2000000000)
		;
	CHECK_EQ(atomic_load(&expired), 1);
	return pass();
}
