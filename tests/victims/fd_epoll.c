/* SPDX-License-Identifier: MIT */
/* epoll: what is watched, with which events and data; edge, one-shot, nested sets; a thread that waits in one. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "victim.h"

static int waited_for;
static atomic_int waiting;

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

/* Descriptor, events and data of what is watched, in order of the descriptors. An error or hang-up is always reported
 * but by a one-shot that fired: epoll_ctl(2) cannot make one like that, and the difference is not looked at. */
static void watched(int epoll, char *to, size_t room)
{
	char path[64], text[4096], *line, *save = NULL, of_fd[64][80] = {""};
	size_t used = 0;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
	slurp(path, text, sizeof text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned fd, events;
		unsigned long long data;

		if (sscanf(line, "tfd: %u events: %x data: %llx", &fd, &events, &data) == 3 && fd < 64)
			snprintf(of_fd[fd], sizeof of_fd[fd], "%u %x %llx|", fd, events | EPOLLERR | EPOLLHUP, data);
	}
	to[0] = 0;
	for (int fd = 0; fd < 64; fd++)
		used += (size_t)snprintf(to + used, room - used, "%s", of_fd[fd]);
}

static void *waiter(void *arg)
{
	struct epoll_event event;

	atomic_store(&waiting, 1);
	while (epoll_wait(waited_for, &event, 1, -1) != 1)
		CHECK(errno == EINTR);
	CHECK(event.data.u64 == 0xfeedu);
	return arg;
}

int main(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0), late = eventfd(0, EFD_CLOEXEC), pipes[2];
	int level = eventfd(1, EFD_CLOEXEC), once = eventfd(1, EFD_CLOEXEC), edge = eventfd(0, EFD_CLOEXEC);
	static char before[4096], after[4096];
	struct epoll_event events[8];
	unsigned seen = 0;
	pthread_t thread;
	uint64_t one = 1;
	int n;

	waited_for = epoll_create1(EPOLL_CLOEXEC);
	CHECK(epoll >= 0 && outer >= 0 && pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	watch(epoll, level, EPOLLIN, 0x1111222233334444u);
	watch(epoll, once, EPOLLIN | EPOLLONESHOT, 0x5555u);
	watch(epoll, edge, EPOLLIN | EPOLLET, 0xffffffffffffffffu);
	watch(epoll, pipes[0], EPOLLIN | EPOLLRDHUP, 0x7777u);
	watch(outer, epoll, EPOLLIN, 0x8888u);
	watch(waited_for, late, EPOLLIN, 0xfeedu);
	CHECK_EQ(epoll_wait(epoll, events, 8, 0), 2); /* disarms `once` */
	CHECK_EQ(pthread_create(&thread, NULL, waiter, NULL), 0);
	CHECK(reached(&waiting, 1));
	sleep_ms(10);
	watched(epoll, before, sizeof before);
	hook();

	watched(epoll, after, sizeof after);
	CHECK_STR(after, before);
	CHECK_EQ(fcntl(epoll, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(outer, F_GETFD), 0);
	CHECK_EQ(epoll_wait(epoll, events, 8, 0), 1);
	CHECK(events[0].events == EPOLLIN && events[0].data.u64 == 0x1111222233334444u);
	CHECK(epoll_wait(outer, events, 8, 0) == 1 && events[0].data.u64 == 0x8888u);
	CHECK_EQ(write(edge, &one, 8), 8);
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	n = epoll_wait(epoll, events, 8, 0);
	CHECK_EQ(n, 3);
	for (int i = 0; i < n; i++)
		seen |= events[i].data.u64 == 0x7777u ? 1 : events[i].data.u64 == 0xffffffffffffffffu ? 2 : 4;
	CHECK_EQ(seen, 7);
	CHECK_EQ(epoll_wait(epoll, events, 8, 0), 2); /* the edge is gone, the levels stay */
	events[0].events = EPOLLIN | EPOLLONESHOT;
	events[0].data.u64 = 0x9999u;
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_MOD, once, &events[0]), 0); /* it is still in the set */
	CHECK_EQ(epoll_wait(epoll, events, 8, 0), 3);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, level, &events[0]) == -1 && errno == EEXIST);
	CHECK_EQ(write(late, &one, 8), 8);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return pass();
}
