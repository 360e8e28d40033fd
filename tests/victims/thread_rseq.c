/* SPDX-License-Identifier: MIT */
/* Restartable sequences: registered for each thread, at glibc's place; the CPU number in it follows the thread. */
#include <sched.h>
#include <sys/rseq.h>

#include "victim.h"

#define N 4

static atomic_int started, go;

static struct rseq *mine(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void look(void)
{
	cpu_set_t all, one;
	struct rseq *rseq = mine();

	CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned seen = 9999;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
		CHECK_EQ(syscall(SYS_getcpu, &seen, NULL, NULL), 0);
		CHECK_EQ(seen, cpu);
		CHECK_EQ(*(volatile uint32_t *)&rseq->cpu_id, cpu);
		CHECK_EQ(*(volatile uint32_t *)&rseq->cpu_id_start, cpu);
		CHECK_EQ(sched_getcpu(), cpu);
	}
	CHECK_EQ(sched_setaffinity(0, sizeof all, &all), 0);
	/* A second registration at another place is refused: the first one is there. */
	static char other[1024] __attribute__((aligned(1024)));
	CHECK(syscall(SYS_rseq, other, 32, 0, RSEQ_SIG) == -1 && (errno == EINVAL || errno == EBUSY || errno == EPERM));
}

static void *thread_main(void *arg)
{
	look();
	atomic_fetch_add(&started, 1);
	while (!atomic_load(&go))
		sleep_ms(1);
	look();
	return arg;
}

int main(void)
{
	pthread_t thread[N];

	if (!__rseq_size)
		SKIP("glibc registered no rseq");
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, NULL), 0);
	CHECK(reached(&started, N));
	look();
	hook();
	look();
	atomic_store(&go, 1);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
