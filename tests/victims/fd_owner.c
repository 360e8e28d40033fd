/* SPDX-License-Identifier: MIT */
/* fcntl(2): who is told of a descriptor's events (F_SETOWN, F_SETOWN_EX) and by which signal (F_SETSIG); whom it
 * reaches. */
#include <sys/socket.h>

#include "victim.h"

static atomic_int started, may_end, got_fd = -1, got_by;
static pid_t other_tid;

static void on_io(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	atomic_store(&got_by, (int)syscall(SYS_gettid));
	atomic_store(&got_fd, info->si_fd);
}

static void *other(void *arg)
{
	other_tid = (pid_t)syscall(SYS_gettid);
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	return arg;
}

static void expect(int fd, int by)
{
	for (int i = 0; i < 2000 && atomic_load(&got_fd) < 0; i++)
		sleep_ms(1);
	CHECK_EQ(atomic_load(&got_fd), fd);
	CHECK_EQ(atomic_load(&got_by), by);
	atomic_store(&got_fd, -1);
}

static void expect_owner(int fd, int type, int pid, int sig)
{
	struct f_owner_ex owner = {0};

	CHECK_EQ(fcntl(fd, F_GETOWN_EX, &owner), 0);
	CHECK_EQ(owner.type, type);
	CHECK_EQ(owner.pid, pid);
	CHECK_EQ(fcntl(fd, F_GETSIG), sig);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_io, .sa_flags = SA_SIGINFO};
	struct f_owner_ex to_thread = {.type = F_OWNER_TID}, to_process = {.type = F_OWNER_PID, .pid = getpid()};
	int silent[2], talks[2], pair[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	CHECK(reached(&started, 1));
	CHECK(pipe2(silent, O_CLOEXEC) == 0 && pipe2(talks, O_CLOEXEC | O_NONBLOCK) == 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(sigaction(SIGRTMIN + 7, &action, NULL), 0);
	to_thread.pid = other_tid;
	CHECK_EQ(fcntl(silent[0], F_SETOWN_EX, &to_process), 0);
	CHECK_EQ(fcntl(silent[0], F_SETSIG, SIGUSR2), 0);
	CHECK_EQ(fcntl(file, F_SETSIG, SIGRTMIN + 7), 0);
	CHECK_EQ(fcntl(talks[0], F_SETOWN_EX, &to_thread), 0);
	CHECK_EQ(fcntl(talks[0], F_SETSIG, SIGRTMIN + 7), 0);
	CHECK_EQ(fcntl(talks[0], F_SETFL, O_NONBLOCK | O_ASYNC), 0);
	CHECK_EQ(fcntl(pair[0], F_SETOWN_EX, &to_thread), 0);
	CHECK_EQ(fcntl(pair[0], F_SETSIG, SIGRTMIN + 7), 0);
	CHECK_EQ(fcntl(pair[0], F_SETFL, O_ASYNC), 0);
	hook();

	expect_owner(silent[0], F_OWNER_PID, getpid(), SIGUSR2);
	expect_owner(talks[0], F_OWNER_TID, other_tid, SIGRTMIN + 7);
	expect_owner(pair[0], F_OWNER_TID, other_tid, SIGRTMIN + 7);
	CHECK_EQ(fcntl(file, F_GETSIG), SIGRTMIN + 7);
	CHECK_EQ(fcntl(talks[0], F_GETFL) & (O_ASYNC | O_NONBLOCK), O_ASYNC | O_NONBLOCK);
	CHECK_EQ(fcntl(silent[0], F_GETFL) & O_ASYNC, 0);
	CHECK_EQ(fcntl(pair[0], F_GETFL) & O_ASYNC, O_ASYNC);
	CHECK_EQ(fcntl(pair[1], F_GETFL) & O_ASYNC, 0);
	CHECK_EQ(atomic_load(&got_fd), -1); /* nothing was told that did not happen */
	CHECK_EQ(write(talks[1], "x", 1), 1);
	expect(talks[0], other_tid);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	expect(pair[0], other_tid);
	atomic_store(&may_end, 1);
	pthread_join(thread, NULL);
	return pass();
}
