/* SPDX-License-Identifier: MIT */
/* A timer on the CPU time of one thread.
 * victim: refused "timer %d runs on the clock of a thread, another process or a device" */
#include "victim.h"

int main(void)
{
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	struct itimerspec far = {{0, 0}, {1000, 0}}, seen;
	timer_t timer;

	CHECK_EQ(timer_create(CLOCK_THREAD_CPUTIME_ID, &none, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &far, NULL), 0);
	hook();
	CHECK(timer_gettime(timer, &seen) == 0 && seen.it_value.tv_sec > 900);
	return pass();
}
