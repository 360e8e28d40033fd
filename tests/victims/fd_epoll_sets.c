/* SPDX-License-Identifier: MIT */
/* epoll, meanly: one file under two numbers, a set three deep, exclusive and wake-up flags, a descriptor that is
 * ready now, one with an end that is closed, a hundred others. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "victim.h"

#define N 100

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

static unsigned ready(int epoll, uint64_t *of, unsigned room)
{
	struct epoll_event event[N + 8];
	int n = epoll_wait(epoll, event, N + 8, 0);

	CHECK(n >= 0 && (unsigned)n <= room);
	for (int i = 0; i < n; i++)
		of[i] = event[i].data.u64;
	return (unsigned)n;
}

static int among(uint64_t what, const uint64_t *of, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (of[i] == what)
			return 1;
	return 0;
}

int main(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0), outermost = epoll_create1(EPOLL_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), again = dup(event), many[N], ends[2];
	uint64_t of[N + 8], value = 1;
	unsigned n;

	CHECK_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	watch(set, event, EPOLLIN | EPOLLWAKEUP, 1001);
	watch(set, again, EPOLLIN | EPOLLET, 1002);
	watch(set, ends[1], EPOLLOUT | EPOLLEXCLUSIVE, 1003);
	watch(outer, set, EPOLLIN, 2001);
	watch(outermost, outer, EPOLLIN | EPOLLET, 3001);
	for (int i = 0; i < N; i++) {
		many[i] = eventfd(i % 2, EFD_CLOEXEC | EFD_NONBLOCK);
		watch(set, many[i], i % 3 ? EPOLLIN : EPOLLOUT | EPOLLPRI, (uint64_t)i);
	}
	hook();

	n = ready(set, of, N + 8);
	for (int i = 0; i < N; i++)
		if (among((uint64_t)i, of, n) != (i % 3 == 0 || i % 2))
			FAIL("descriptor %d of the set is %sready", i, among((uint64_t)i, of, n) ? "" : "not ");
	CHECK(among(1003, of, n) && !among(1001, of, n) && !among(1002, of, n));
	CHECK(ready(outermost, of, 8) == 1 && of[0] == 3001);
	CHECK_EQ(write(event, &value, 8), 8);
	n = ready(set, of, N + 8);
	CHECK(among(1001, of, n) && among(1002, of, n));
	n = ready(set, of, N + 8);
	CHECK(among(1001, of, n) && !among(1002, of, n)); /* the edge is past */
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_DEL, again, NULL), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(close(many[i]), 0); /* the only number each has: it leaves the set */
	n = ready(set, of, N + 8);
	CHECK(n == 2 && among(1001, of, n) && among(1003, of, n));
	return pass();
}
