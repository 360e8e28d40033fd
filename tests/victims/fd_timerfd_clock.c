/* SPDX-License-Identifier: MIT */
/* A timerfd that is cancelled when somebody sets the clock, as event loops use it: it still would be. And two whose
 * date has come. */
#include <poll.h>
#include <sys/timerfd.h>

#include "victim.h"

static unsigned settime_flags(int fd)
{
	char path[64], text[1024], *at;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	slurp(path, text, sizeof text);
	at = strstr(text, "settime flags:");
	CHECK(at);
	return (unsigned)strtoul(at + 14, NULL, 8);
}

int main(void)
{
	struct itimerspec never = {.it_value.tv_sec = INT64_MAX / 1000000000 - 1}, seen;
	struct itimerspec soon = {.it_value.tv_sec = time(NULL) + 5000};
	int watch = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int alarm = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int past = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int read_out = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec gone = {.it_value.tv_sec = time(NULL) - 5};
	uint64_t ticks;
	int64_t date;

	CHECK_EQ(timerfd_settime(watch, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL), 0);
	CHECK_EQ(timerfd_settime(alarm, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &soon, NULL), 0);
	CHECK_EQ(timerfd_settime(past, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &gone, NULL), 0);
	CHECK_EQ(timerfd_settime(read_out, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &gone, NULL), 0);
	CHECK_EQ(poll(&(struct pollfd){past, POLLIN, 0}, 1, 1000), 1);
	CHECK_EQ(poll(&(struct pollfd){read_out, POLLIN, 0}, 1, 1000), 1);
	CHECK_EQ(read(read_out, &ticks, 8), 8);
	hook();

	CHECK_EQ(settime_flags(watch), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	CHECK_EQ(settime_flags(alarm), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	CHECK_EQ(settime_flags(past), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	CHECK(read(past, &ticks, 8) == 8 && ticks == 1);
	CHECK_EQ(settime_flags(read_out), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	CHECK(read(read_out, &ticks, 8) == -1 && errno == EAGAIN);
	CHECK(read(watch, &ticks, 8) == -1 && errno == EAGAIN);
	CHECK_EQ(timerfd_gettime(alarm, &seen), 0);
	date = now_ns(CLOCK_REALTIME) + seen.it_value.tv_sec * INT64_C(1000000000) + seen.it_value.tv_nsec;
	CHECK(llabs((long long)(date - soon.it_value.tv_sec * INT64_C(1000000000))) < 1000000000);
	return pass();
}
