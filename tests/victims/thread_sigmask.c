/* SPDX-License-Identifier: MIT */
/* Each thread's own signal mask; who gets a signal to the process; an interrupted call's saved mask (sigsuspend). */
#include <poll.h>

#include "victim.h"

#define N 6

static pid_t volatile handled_by;
static atomic_int started, go, suspended_done;
static pid_t tid[N];

static void on_signal(int sig)
{
	(void)sig;
	handled_by = (pid_t)syscall(SYS_gettid);
}

static void mask_of(int me, sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGUSR1);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		if ((sig + me) % 3 == 0)
			sigaddset(set, sig);
	if (me == 3)
		sigdelset(set, SIGUSR1); /* the only one that may take it */
}

static int same(const sigset_t *a, const sigset_t *b)
{
	for (int sig = 1; sig <= 64; sig++)
		if (sig != 32 && sig != 33 && sigismember(a, sig) != sigismember(b, sig))
			return 0;
	return 1;
}

static void *thread_main(void *arg)
{
	int me = *(int *)arg;
	sigset_t set, seen, none;

	mask_of(me, &set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	tid[me] = (pid_t)syscall(SYS_gettid);
	atomic_fetch_add(&started, 1);
	if (me == 1) { /* frozen inside sigsuspend: the mask to come back is a third one */
		sigfillset(&none);
		sigdelset(&none, SIGUSR2);
		sigsuspend(&none);
		CHECK_EQ(errno, EINTR);
		atomic_store(&suspended_done, 1);
	}
	while (!atomic_load(&go))
		sleep_ms(1);
	pthread_sigmask(SIG_SETMASK, NULL, &seen);
	if (!same(&seen, &set))
		FAIL("mask of thread %d", me);
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread[N];
	static int number[N];
	sigset_t set, seen;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	mask_of(0, &set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	for (int i = 1; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, &number[i]), 0);
	}
	CHECK(reached(&started, N - 1));
	sleep_ms(20);
	hook();

	pthread_sigmask(SIG_SETMASK, NULL, &seen);
	CHECK(same(&seen, &set));
	kill(getpid(), SIGUSR1);
	for (int i = 0; i < 2000 && !handled_by; i++)
		sleep_ms(1);
	CHECK_EQ(handled_by, tid[3]);
	CHECK_EQ(atomic_load(&suspended_done), 0);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), tid[1], SIGUSR2), 0);
	CHECK(reached(&suspended_done, 1));
	CHECK_EQ(handled_by, tid[1]);
	atomic_store(&go, 1);
	for (int i = 1; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
