/* SPDX-License-Identifier: MIT */
/* Interval timers: what is left and the interval of each; a fast one that goes on ticking through the hook. */
#include <sys/time.h>

#include "victim.h"

static atomic_int ticks;

static void tick(int sig)
{
	(void)sig;
	atomic_fetch_add(&ticks, 1);
}

static int64_t us(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(void)
{
	struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
	struct itimerval prof = {{30, 5000}, {1000, 0}}, virt = {{0, 0}, {500, 250000}},
	                 real = {{0, 20000}, {0, 20000}}, seen;
	int before;

	sigaction(SIGALRM, &action, NULL);
	CHECK_EQ(setitimer(ITIMER_PROF, &prof, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_VIRTUAL, &virt, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &real, NULL), 0);
	CHECK(reached(&ticks, 3));
	hook();

	CHECK_EQ(getitimer(ITIMER_PROF, &seen), 0);
	CHECK_EQ(us(seen.it_interval), us(prof.it_interval));
	CHECK(us(seen.it_value) > 990000000 && us(seen.it_value) <= us(prof.it_value) + 10000);
	CHECK_EQ(getitimer(ITIMER_VIRTUAL, &seen), 0);
	CHECK_EQ(us(seen.it_interval), 0);
	CHECK(us(seen.it_value) > 490000000 && us(seen.it_value) <= us(virt.it_value) + 10000);
	CHECK_EQ(getitimer(ITIMER_REAL, &seen), 0);
	CHECK_EQ(us(seen.it_interval), 20000);
	CHECK(us(seen.it_value) > 0 && us(seen.it_value) <= 20000);
	before = atomic_load(&ticks);
	CHECK(reached(&ticks, before + 5));
	return pass();
}
