/* SPDX-License-Identifier: MIT */
/* Alternate signal stacks of several threads, with SS_AUTODISARM; handlers run on them, also after a stack overflow. */
#include <setjmp.h>

#include "victim.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif
#define N    4
#define SIZE 65536

static char stack[N][SIZE];
static __thread int me_tls = -1;
static __thread int volatile on_it;
static __thread sigjmp_buf back;
static atomic_int started, go;

static void on_signal(int sig)
{
	char here;

	on_it = me_tls >= 0 && &here >= stack[me_tls] && &here < stack[me_tls] + SIZE;
	if (sig == SIGSEGV)
		siglongjmp(back, 1);
}

__attribute__((noinline)) static long overflow(long n)
{
	volatile char frame[8192];

	memset((char *)frame, (int)n, sizeof frame);
	return n < 1000000 ? overflow(n + 1) + frame[n % 8192] : 0; /* 8 GiB: it does not get there */
}

static void *thread_main(void *arg)
{
	int me = *(int *)arg;
	stack_t mine = {.ss_sp = stack[me], .ss_size = SIZE, .ss_flags = me % 2 ? (int)SS_AUTODISARM : 0}, seen;

	me_tls = me;
	if (me != 3)
		CHECK_EQ(sigaltstack(&mine, NULL), 0);
	atomic_fetch_add(&started, 1);
	if (me == 0)
		hook();
	while (me && !atomic_load(&go))
		sleep_ms(1);
	CHECK_EQ(sigaltstack(NULL, &seen), 0);
	if (me == 3) {
		CHECK_EQ(seen.ss_flags, SS_DISABLE);
		return NULL;
	}
	CHECK(seen.ss_sp == mine.ss_sp && seen.ss_size == mine.ss_size);
	CHECK_EQ((unsigned)seen.ss_flags, (unsigned)mine.ss_flags);
	on_it = 0;
	raise(SIGUSR1);
	CHECK(on_it);
	on_it = 0;
	if (me == 2 && sigsetjmp(back, 1) == 0)
		overflow(1);
	CHECK(me != 2 || on_it);
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	pthread_t thread[N];
	static int number[N];

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (int i = 1; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, &number[i]), 0);
	}
	CHECK(reached(&started, N - 1));
	thread_main(&number[0]);
	atomic_store(&go, 1);
	for (int i = 1; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
