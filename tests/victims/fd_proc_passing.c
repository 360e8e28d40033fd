/* SPDX-License-Identifier: MIT */
/* A thread has a file about this process, half read, when the program is frozen, and closes it the moment it runs on.
 * So it is frozen once more, and nobody hears of that. */
#include <sys/socket.h>

#include "victim.h"

static int pair[2], fd;
static atomic_int looker, interrupted;

/* A receive with a time limit is not begun again where the thread was stopped in it: EINTR tells it of the freeze. */
static void *look(void *arg)
{
	const struct timeval limit = {.tv_sec = 60};
	char text[20];
	ssize_t len;

	CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, text, sizeof text) == sizeof text);
	atomic_store(&looker, (int)syscall(SYS_gettid));
	while ((len = recv(pair[0], text, 1, 0)) < 0 && errno == EINTR)
		if (atomic_fetch_add(&interrupted, 1) == 0)
			CHECK_EQ(close(fd), 0);
	CHECK_EQ(len, 1);
	return arg;
}

static int waits(int tid)
{
	char path[64], text[32];

	snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
	slurp(path, text, sizeof text);
	return atoi(text) == SYS_recvfrom;
}

int main(void)
{
	pthread_t thread;
	int n = 0;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(pthread_create(&thread, NULL, look, NULL), 0);
	CHECK(reached(&looker, 1));
	while (!waits(atomic_load(&looker)) && n++ < 5000)
		sleep_ms(1);
	if (hook() != WARM_COLD) {
		CHECK(reached(&interrupted, 1));
		CHECK(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
	}
	CHECK_EQ(send(pair[1], "x", 1, 0), 1);
	pthread_join(thread, NULL);
	return pass();
}
