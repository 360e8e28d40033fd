/* SPDX-License-Identifier: MIT */
/* Threads that block in accept(2), and in recv(2) and epoll_wait(2) on a connection. victim: alone */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "victim.h"

static int listener, connection, epoll, accepted = -1, received_errno;
static ssize_t received;
static uint32_t events;
static char text[8];
static pid_t tid[3];
static atomic_int begun, done;

static void begin(int i)
{
	tid[i] = (pid_t)syscall(SYS_gettid);
	atomic_fetch_add(&begun, 1);
}

static void *accepts(void *arg)
{
	begin(0);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	atomic_fetch_add(&done, 1);
	return arg;
}

static void *receives(void *arg)
{
	begin(1);
	received = recv(connection, text, sizeof text, 0);
	received_errno = errno;
	atomic_fetch_add(&done, 1);
	return arg;
}

static void *watches(void *arg)
{
	struct epoll_event event = {0};

	begin(2);
	while (epoll_wait(epoll, &event, 1, -1) != 1) /* EINTR: see the manual */
		CHECK_EQ(errno, EINTR);
	events = event.events;
	atomic_fetch_add(&done, 1);
	return arg;
}

static int is_asleep(pid_t thread)
{
	char path[64], stat[512];

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
	slurp(path, stat, sizeof stat);
	return strrchr(stat, ')')[2] == 'S';
}

static int joined(int to)
{
	struct sockaddr_in name;
	socklen_t len = sizeof name;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(getsockname(to, (struct sockaddr *)&name, &len), 0);
	CHECK_EQ(connect(s, (struct sockaddr *)&name, len), 0);
	return s;
}

static int listening(void)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	CHECK(bind(s, (struct sockaddr *)&local, sizeof local) == 0 && listen(s, 3) == 0);
	return s;
}

int main(void)
{
	void *(*const body[])(void *) = {accepts, receives, watches};
	struct epoll_event event = {.events = EPOLLIN};
	int other = listening(), peer, watched, watched_peer;
	pthread_t thread[3];

	listener = listening();
	connection = joined(other);
	peer = accept4(other, NULL, NULL, SOCK_CLOEXEC);
	watched = joined(other);
	watched_peer = accept4(other, NULL, NULL, SOCK_CLOEXEC);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	CHECK(peer >= 0 && watched_peer >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, watched, &event) == 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, body[i], NULL), 0);
	CHECK(reached(&begun, 3));
	for (int i = 0; i < 3; i++)
		while (!is_asleep(tid[i]))
			sleep_ms(1);

	if (hook() == WARM_RESTORED) {
		CHECK(reached(&done, 2)); /* at once, by themselves */
		CHECK(received == -1 && received_errno == ECONNRESET);
		CHECK((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == (EPOLLIN | EPOLLERR | EPOLLHUP));
	} else {
		sleep_ms(5);
		CHECK_EQ(atomic_load(&done), 0);
		CHECK(send(peer, "data", 4, 0) == 4 && send(watched_peer, "more", 4, 0) == 4);
		CHECK(reached(&done, 2));
		CHECK(received == 4 && memcmp(text, "data", 4) == 0 && events == EPOLLIN);
	}
	CHECK_EQ(accepted, -1);
	CHECK(joined(listener) >= 0 && reached(&done, 3) && accepted >= 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
