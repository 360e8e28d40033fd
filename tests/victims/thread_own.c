/* SPDX-License-Identifier: MIT */
/* What each thread has of its own: processors, niceness beside the process's, I/O priority, personality, death signal,
 * time stamp counter, what it lets the CPU speculate, machine checks. */
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "victim.h"

#define N 4

static atomic_int started, go;

struct own {
	cpu_set_t cpus;
	int nice, io, personality, death, tsc, mce, store_bypass, branch;
};

static void ask(struct own *o)
{
	memset(o, 0, sizeof *o);
	CHECK_EQ(sched_getaffinity(0, sizeof o->cpus, &o->cpus), 0);
	o->nice = getpriority(PRIO_PROCESS, 0);
	o->io = (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	o->personality = personality(0xffffffff);
	prctl(PR_GET_PDEATHSIG, &o->death);
	prctl(PR_GET_TSC, &o->tsc);
	o->mce = prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
	o->store_bypass = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
	o->branch = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0, 0, 0);
}

static void expect(const struct own *is, const struct own *was, int me)
{
	if (!CPU_EQUAL(&is->cpus, &was->cpus))
		FAIL("thread %d may run on %d processors, not on the %d that it chose", me, CPU_COUNT(&is->cpus),
		     CPU_COUNT(&was->cpus));
	CHECK_EQ(is->nice, was->nice);
	CHECK_EQ(is->io, was->io);
	CHECK_EQ(is->personality, was->personality);
	CHECK_EQ(is->death, was->death);
	CHECK_EQ(is->tsc, was->tsc);
	CHECK_EQ(is->mce, was->mce);
	CHECK_EQ(is->store_bypass, was->store_bypass);
	CHECK_EQ(is->branch, was->branch);
}

static void *thread_main(void *arg)
{
	int me = *(int *)arg;
	struct own before, after;
	cpu_set_t one;

	switch (me) {
	case 0:
		CHECK_EQ(sched_getaffinity(0, sizeof one, &one), 0);
		for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &one) && kept++)
				CPU_CLR(cpu, &one);
		CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
		break;
	case 1:
		CHECK_EQ(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 7), 0);
		CHECK_EQ(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6)), 0);
		break;
	case 2:
		prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
		break;
	default:
		prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0);
		prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_DISABLE, 0, 0);
	}
	ask(&before);
	atomic_fetch_add(&started, 1);
	while (!atomic_load(&go))
		sleep_ms(1);
	ask(&after);
	expect(&after, &before, me);
	return NULL;
}

int main(void)
{
	struct own before, after;
	static int number[N];
	pthread_t thread[N];

	for (int i = 0; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, &number[i]), 0);
	}
	CHECK(reached(&started, N));
	ask(&before);
	hook();
	ask(&after);
	expect(&after, &before, -1);
	atomic_store(&go, 1);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
