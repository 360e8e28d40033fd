/* SPDX-License-Identifier: MIT */
/* timerfd: armed, periodic, expired and not read, disarmed, absolute; clocks and flags. */
#include <poll.h>
#include <sys/timerfd.h>

#include "victim.h"

static int make(int clock, int flags, int set_flags, int64_t first_ms, int64_t interval_ms)
{
	struct itimerspec t = {{interval_ms / 1000, interval_ms % 1000 * 1000000},
	                       {first_ms / 1000, first_ms % 1000 * 1000000}};
	int fd = timerfd_create(clock, flags);

	CHECK(fd >= 0 && timerfd_settime(fd, set_flags, &t, NULL) == 0);
	return fd;
}

int main(void)
{
	int64_t abs_ms = now_ns(CLOCK_REALTIME) / 1000000 + 1000000;
	int far = make(CLOCK_MONOTONIC, TFD_CLOEXEC, 0, 3600000, 9000);
	int expired = make(CLOCK_MONOTONIC, TFD_NONBLOCK, 0, 1, 0);
	int ticking = make(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC, 0, 10, 10);
	int off = make(CLOCK_MONOTONIC, TFD_NONBLOCK, 0, 0, 0);
	int absolute = make(CLOCK_REALTIME, TFD_CLOEXEC, TFD_TIMER_ABSTIME, abs_ms, 0);
	struct pollfd wait;
	struct itimerspec seen;
	uint64_t ticks = 0;
	int64_t left;

	sleep_ms(40);
	hook();

	CHECK_EQ(timerfd_gettime(far, &seen), 0);
	CHECK(seen.it_interval.tv_sec == 9 && seen.it_value.tv_sec > 3500 && seen.it_value.tv_sec <= 3600);
	CHECK(read(expired, &ticks, 8) == 8 && ticks == 1);
	CHECK(read(expired, &ticks, 8) == -1 && errno == EAGAIN);
	CHECK(read(ticking, &ticks, 8) == 8 && ticks >= 3);
	wait = (struct pollfd){.fd = ticking, .events = POLLIN};
	CHECK_EQ(poll(&wait, 1, 1000), 1);
	CHECK(read(ticking, &ticks, 8) == 8 && ticks >= 1);
	CHECK_EQ(timerfd_gettime(ticking, &seen), 0);
	CHECK_EQ(seen.it_interval.tv_nsec, 10000000);
	CHECK(read(off, &ticks, 8) == -1 && errno == EAGAIN);
	CHECK(timerfd_gettime(off, &seen) == 0 && seen.it_value.tv_sec == 0 && seen.it_value.tv_nsec == 0);
	CHECK_EQ(timerfd_gettime(absolute, &seen), 0);
	left = seen.it_value.tv_sec * 1000 + seen.it_value.tv_nsec / 1000000;
	CHECK(left > 0 && left <= 1000000);
	CHECK_EQ(fcntl(far, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(expired, F_GETFD), 0);
	CHECK_EQ(fcntl(expired, F_GETFL) & ~0100000, O_RDWR | O_NONBLOCK);
	return pass();
}
