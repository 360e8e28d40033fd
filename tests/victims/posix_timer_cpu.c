/* SPDX-License-Identifier: MIT */
/* Timers on the CPU time of the process and of a thread. victim: may-refuse clock */
#include "victim.h"

int main(void)
{
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	struct itimerspec t = {{5, 0}, {1000, 0}}, seen;
	timer_t process, thread;

	CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &none, &process), 0);
	CHECK_EQ(timer_create(CLOCK_THREAD_CPUTIME_ID, &none, &thread), 0);
	CHECK_EQ(timer_settime(process, 0, &t, NULL), 0);
	hook();
	CHECK_EQ(timer_gettime(process, &seen), 0);
	CHECK(seen.it_interval.tv_sec == 5 && seen.it_value.tv_sec > 900 && seen.it_value.tv_sec <= 1000);
	CHECK_EQ(timer_gettime(thread, &seen), 0);
	CHECK(seen.it_value.tv_sec == 0 && seen.it_value.tv_nsec == 0);
	return pass();
}
