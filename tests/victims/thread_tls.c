/* SPDX-License-Identifier: MIT */
/* fs and gs: thread-local variables, and a gs base of the program's own, in each thread. */
#include <asm/prctl.h>

#include "victim.h"

#define N 6

static __thread uint64_t local[32];
static __thread int id = -1;
static uint64_t area[N][16];
static atomic_int ready_threads, go;

static uint64_t from_gs(void)
{
	uint64_t value;

	__asm__ volatile("movq %%gs:8, %0" : "=r"(value));
	return value;
}

static unsigned long base(int code)
{
	unsigned long value = 0;

	CHECK_EQ(syscall(SYS_arch_prctl, code, &value), 0);
	return value;
}

static void *thread_main(void *arg)
{
	int me = *(int *)arg;
	unsigned long fs;

	id = me;
	fill(local, sizeof local, me);
	fill(area[me], sizeof area[me], 500 + me);
	if (me % 2 == 0)
		CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, area[me]), 0);
	fs = base(ARCH_GET_FS);
	atomic_fetch_add(&ready_threads, 1);
	if (me == 0)
		hook();
	while (me && !atomic_load(&go))
		sleep_ms(1);
	CHECK(base(ARCH_GET_FS) == fs);
	CHECK_EQ(id, me);
	CHECK(filled(local, sizeof local, me));
	CHECK(base(ARCH_GET_GS) == (me % 2 ? 0 : (unsigned long)area[me]));
	if (me % 2 == 0)
		CHECK(from_gs() == area[me][1]);
	errno = 12345 + me; /* thread-local too */
	sleep_ms(2);
	CHECK_EQ(errno, 12345 + me);
	return NULL;
}

int main(void)
{
	pthread_t thread[N];
	static int number[N];

	for (int i = 1; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, &number[i]), 0);
	}
	CHECK(reached(&ready_threads, N - 1));
	thread_main(&number[0]);
	atomic_store(&go, 1);
	for (int i = 1; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
