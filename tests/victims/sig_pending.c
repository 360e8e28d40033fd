/* SPDX-License-Identifier: MIT */
/* Pending signals, to the process and to threads: which, in what order, with their codes, senders and values. */
#include "victim.h"

static pthread_barrier_t barrier;
static pid_t other_tid;

static void expect(const sigset_t *set, int sig, int code, int value)
{
	struct timespec none = {0, 0};
	siginfo_t info;

	memset(&info, 0, sizeof info);
	/* glibc's sigtimedwait() hides SI_TKILL */
	CHECK_EQ(syscall(SYS_rt_sigtimedwait, set, &info, &none, 8), sig);
	CHECK_EQ(info.si_signo, sig);
	CHECK_EQ(info.si_code, code);
	CHECK_EQ(info.si_pid, getpid());
	CHECK_EQ(info.si_uid, getuid());
	if (code == SI_QUEUE)
		CHECK_EQ(info.si_value.sival_int, value);
}

static void only(sigset_t *set, int sig)
{
	sigemptyset(set);
	sigaddset(set, sig);
}

static void *other(void *arg)
{
	struct timespec none = {0, 0};
	siginfo_t info;
	sigset_t set;

	(void)arg;
	other_tid = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	only(&set, SIGUSR2);
	expect(&set, SIGUSR2, SI_TKILL, 0);
	only(&set, SIGRTMIN + 5);
	for (int i = 0; i < 3; i++)
		expect(&set, SIGRTMIN + 5, SI_QUEUE, 500 + i);
	CHECK(sigtimedwait(&set, &info, &none) == -1 && errno == EAGAIN);
	return NULL;
}

int main(void)
{
	struct timespec none = {0, 0};
	sigset_t all, set, pending;
	pthread_t thread;
	siginfo_t info;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	pthread_barrier_wait(&barrier);

	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(kill(getpid(), SIGTERM), 0);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGHUP), 0);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), other_tid, SIGUSR2), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 1000 + i}), 0);
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = -7}), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_sigqueue(thread, SIGRTMIN + 5, (union sigval){.sival_int = 500 + i}), 0);
	hook();

	CHECK_EQ(sigpending(&pending), 0);
	for (int sig = 1; sig < 64; sig++) {
		int want = sig == SIGUSR1 || sig == SIGTERM || sig == SIGHUP || sig == SIGRTMIN + 3 ||
		           sig == SIGRTMIN + 2;

		if (sig != 32 && sig != 33 && sig != SIGALRM && sigismember(&pending, sig) != want)
			FAIL("signal %d is %spending", sig, want ? "not " : "");
	}
	only(&set, SIGUSR1);
	expect(&set, SIGUSR1, SI_USER, 0);
	only(&set, SIGHUP);
	expect(&set, SIGHUP, SI_TKILL, 0);
	only(&set, SIGTERM);
	expect(&set, SIGTERM, SI_USER, 0);
	sigaddset(&set, SIGRTMIN + 3);
	sigaddset(&set, SIGRTMIN + 2);
	expect(&set, SIGRTMIN + 2, SI_QUEUE, -7);
	for (int i = 0; i < 5; i++)
		expect(&set, SIGRTMIN + 3, SI_QUEUE, 1000 + i);
	CHECK(sigtimedwait(&set, &info, &none) == -1 && errno == EAGAIN);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return pass();
}
