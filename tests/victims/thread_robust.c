/* SPDX-License-Identifier: MIT */
/* The robust list head of each thread and the tid address: as registered, and honoured by the kernel at exit. */
#include <linux/futex.h>
#include <stddef.h>

#include "victim.h"

#define N 4

static pid_t tid[N];
static struct robust_list_head *head[N];
static atomic_int started, go;

struct lock {
	struct robust_list list;
	atomic_int word;
};
static struct lock lock;
static struct robust_list_head own = {.list = {&own.list}, .futex_offset = offsetof(struct lock, word)};

static struct robust_list_head *robust_of(pid_t who)
{
	struct robust_list_head *seen = NULL;
	size_t len = 0;

	CHECK_EQ(syscall(SYS_get_robust_list, who, &seen, &len), 0);
	CHECK_EQ(len, sizeof *seen);
	return seen;
}

static void *thread_main(void *arg)
{
	int me = *(int *)arg;

	tid[me] = (pid_t)syscall(SYS_gettid);
	if (me == 1) { /* a list of our own, with one lock on it */
		CHECK_EQ(syscall(SYS_set_robust_list, &own, sizeof own), 0);
		own.list.next = &lock.list;
		lock.list.next = &own.list;
		atomic_store(&lock.word, tid[me]);
	}
	head[me] = robust_of(0);
	atomic_fetch_add(&started, 1);
	while (!atomic_load(&go))
		sleep_ms(1);
	return NULL;
}

int main(void)
{
	pthread_t thread[N];
	static int number[N];

	tid[0] = (pid_t)syscall(SYS_gettid);
	head[0] = robust_of(0);
	for (int i = 1; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, &number[i]), 0);
	}
	CHECK(reached(&started, N - 1));
	hook();
	for (int i = 0; i < N; i++)
		if (robust_of(i ? tid[i] : 0) != head[i])
			FAIL("robust list of thread %d", i);
	atomic_store(&go, 1);
	for (int i = 1; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK(atomic_load(&lock.word) & FUTEX_OWNER_DIED);
	return pass();
}
