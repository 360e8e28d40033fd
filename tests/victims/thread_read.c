/* SPDX-License-Identifier: MIT */
/* Threads blocked in read(2), poll, recv, accept and sigwait without a time: each gets what comes after the hook. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

#define N 20

static int pipe_fd[N][2];
static atomic_int blocked, done;

static void *reader(void *arg)
{
	int me = *(int *)arg;
	char got[16] = "";
	ssize_t len;

	atomic_fetch_add(&blocked, 1);
	if (me % 3 == 1) {
		struct pollfd wait = {.fd = pipe_fd[me][0], .events = POLLIN};

		while (poll(&wait, 1, -1) != 1)
			CHECK_EQ(errno, EINTR); /* what poll(2) restarts with is lost: the one documented difference */
	}
	len = me % 3 == 2 ? recv(pipe_fd[me][0], got, sizeof got, 0) : read(pipe_fd[me][0], got, sizeof got);
	CHECK_EQ(len, 4);
	CHECK(got[0] == 'x' && got[1] == (char)('A' + me) && got[2] == 'y' && got[3] == 0);
	atomic_fetch_add(&done, 1);
	return NULL;
}

static void *signal_waiter(void *arg)
{
	sigset_t set;
	int sig = 0;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	atomic_fetch_add(&blocked, 1);
	while (sigwait(&set, &sig) == EINTR)
		;
	CHECK_EQ(sig, SIGUSR2);
	atomic_fetch_add(&done, 1);
	return NULL;
}

int main(void)
{
	static pthread_t thread[N + 1];
	static int number[N];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < N; i++) {
		number[i] = i;
		if (i % 3 == 2)
			CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipe_fd[i]), 0);
		else
			CHECK_EQ(pipe2(pipe_fd[i], O_CLOEXEC), 0);
		CHECK_EQ(pthread_create(&thread[i], NULL, reader, &number[i]), 0);
	}
	CHECK_EQ(pthread_create(&thread[N], NULL, signal_waiter, NULL), 0);
	CHECK(reached(&blocked, N + 1));
	sleep_ms(30);
	hook();

	sleep_ms(30);
	CHECK_EQ(atomic_load(&done), 0);
	for (int i = 0; i < N; i++) {
		char text[4] = {'x', (char)('A' + i), 'y', 0};

		CHECK_EQ(write(pipe_fd[i][1], text, 4), 4);
	}
	CHECK_EQ(kill(getpid(), SIGUSR2), 0);
	for (int i = 0; i <= N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
