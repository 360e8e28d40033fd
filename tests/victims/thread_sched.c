/* SPDX-License-Identifier: MIT */
/* Scheduling of threads: batch, idle, real-time with reset-on-fork, timer slack. (Niceness is the launch's.) */
#include <sched.h>
#include <sys/prctl.h>

#include "victim.h"

#define N 5

static atomic_int started, go;

static const struct {
	int policy, priority, slack;
} kind[N] = {{SCHED_BATCH, 0, 0},
             {SCHED_IDLE, 0, 0},
             {SCHED_RR, 7, 0},
             {SCHED_OTHER | SCHED_RESET_ON_FORK, 0, 0},
             {SCHED_OTHER, 0, 123456}};

static void *thread_main(void *arg)
{
	int me = *(int *)arg;
	struct sched_param param = {.sched_priority = kind[me].priority}, seen;
	int policy = kind[me].policy;

	if (sched_setscheduler(0, policy, &param) != 0) {
		CHECK(errno == EPERM);
		policy = sched_getscheduler(0);
		sched_getparam(0, &param);
	}
	if (kind[me].slack)
		CHECK_EQ(prctl(PR_SET_TIMERSLACK, kind[me].slack), 0);
	atomic_fetch_add(&started, 1);
	while (!atomic_load(&go))
		sleep_ms(1);
	CHECK_EQ(sched_getscheduler(0), policy);
	CHECK_EQ(sched_getparam(0, &seen), 0);
	CHECK_EQ(seen.sched_priority, param.sched_priority);
	if (kind[me].slack)
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), kind[me].slack);
	return NULL;
}

int main(void)
{
	pthread_t thread[N];
	static int number[N];

	for (int i = 0; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, &number[i]), 0);
	}
	CHECK(reached(&started, N));
	hook();
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	atomic_store(&go, 1);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
