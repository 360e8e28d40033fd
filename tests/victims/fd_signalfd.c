/* SPDX-License-Identifier: MIT */
/* signalfd: its mask and flags, signals pending behind it, and those that come. */
#include <sys/signalfd.h>

#include "victim.h"

int main(void)
{
	struct signalfd_siginfo info;
	sigset_t set, other;
	int fd, second;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 4);
	sigemptyset(&other);
	sigaddset(&other, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_sigmask(SIG_BLOCK, &other, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	second = signalfd(-1, &other, SFD_NONBLOCK);
	CHECK(fd >= 0 && second >= 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 4, (union sigval){.sival_int = 70 + i}), 0);
	hook();

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & ~0100000, O_RDWR | O_NONBLOCK);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
		CHECK_EQ(info.ssi_signo, SIGRTMIN + 4);
		CHECK_EQ(info.ssi_int, 70 + i);
		CHECK_EQ(info.ssi_pid, getpid());
	}
	CHECK(read(fd, &info, sizeof info) == -1 && errno == EAGAIN);
	kill(getpid(), SIGUSR2);
	CHECK(read(fd, &info, sizeof info) == -1 && errno == EAGAIN);
	CHECK(read(second, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2);
	kill(getpid(), SIGUSR1);
	CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
	return pass();
}
