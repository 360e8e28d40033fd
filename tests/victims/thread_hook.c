/* SPDX-License-Identifier: MIT */
/* Another thread than the main one calls the hook, with others busy and waiting: it returns there, and to nobody else.
 */
#include "victim.h"

#define N 3

static __thread uint64_t local[32];
static atomic_int outcome = -1, busy, may_end;
static atomic_ulong rounds;

static void *worker(void *arg)
{
	fill(local, sizeof local, (uintptr_t)arg);
	atomic_fetch_add(&busy, 1);
	while (!atomic_load(&may_end))
		atomic_fetch_add(&rounds, 1);
	CHECK(filled(local, sizeof local, (uintptr_t)arg));
	return arg;
}

static void *caller(void *arg)
{
	uint64_t stack[512];
	long tid = syscall(SYS_gettid);
	sigset_t set, seen;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	fill(local, sizeof local, 77);
	fill(stack, sizeof stack, 78);
	atomic_store(&outcome, hook());

	CHECK_EQ(syscall(SYS_gettid), tid);
	CHECK(tid != getpid() && filled(local, sizeof local, 77) && filled(stack, sizeof stack, 78));
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &seen), 0);
	CHECK_EQ(sigismember(&seen, SIGUSR1), 1);
	return arg;
}

int main(void)
{
	pthread_t thread[N], hooked;
	unsigned long before;
	void *result = NULL;

	for (uintptr_t i = 0; i < N; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, worker, (void *)(i + 1)), 0);
	CHECK(reached(&busy, N));
	CHECK_EQ(pthread_create(&hooked, NULL, caller, local), 0);
	CHECK_EQ(pthread_join(hooked, &result), 0);

	CHECK(result == local && atomic_load(&outcome) >= 0);
	CHECK_EQ(hook(), atomic_load(&outcome)); /* whoever asks again hears the same */
	before = atomic_load(&rounds);
	for (int i = 0; atomic_load(&rounds) == before && i < 5000; i++)
		sleep_ms(1);
	CHECK(atomic_load(&rounds) > before);
	atomic_store(&may_end, 1);
	for (uintptr_t i = 0; i < N; i++) {
		CHECK_EQ(pthread_join(thread[i], &result), 0);
		CHECK_EQ((uintptr_t)result, i + 1);
	}
	return pass();
}
