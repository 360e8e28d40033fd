/* SPDX-License-Identifier: MIT */
/* What programs of each kind have: code, data, relocated pointers, thread-local storage, threads, a heap, a handler. */
#ifndef WARM_VICTIM_EXE_H
#define WARM_VICTIM_EXE_H

#include <sys/auxv.h>

#include "victim.h"

static int data = 42, zero;
static int *const pointer[2] = {&data, &zero};
static __thread int local = 7;
static atomic_int started, go, handled;

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void *thread_main(void *arg)
{
	CHECK_EQ(local, 7);
	local = 8;
	atomic_fetch_add(&started, 1);
	while (!atomic_load(&go))
		sleep_ms(1);
	CHECK_EQ(local, 8);
	return arg;
}

int main(int argc, char **argv)
{
	static char before[600], after[600];
	char *heap = malloc(300000), exe[2][512] = {"", ""};
	unsigned long entry = getauxval(AT_ENTRY), random = getauxval(AT_RANDOM);
	pthread_t thread[3];

	CHECK(argc >= 1 && argv[0]);
	fill(heap, 300000, 4);
	data = 43;
	local = 9;
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_main, NULL), 0);
	CHECK(reached(&started, 3));
	CHECK(readlink("/proc/self/exe", exe[0], sizeof exe[0] - 1) > 0);
	CHECK(area_line((void *)main, NULL, before, sizeof before));
	hook();

	CHECK(area_line((void *)main, NULL, after, sizeof after));
	CHECK_STR(after, before);
	CHECK(readlink("/proc/self/exe", exe[1], sizeof exe[1] - 1) > 0);
	CHECK_STR(exe[1], exe[0]);
	CHECK(*pointer[0] == 43 && *pointer[1] == 0 && local == 9 && filled(heap, 300000, 4));
	CHECK(getauxval(AT_ENTRY) == entry && getauxval(AT_RANDOM) == random);
	CHECK(raise(SIGUSR1) == 0 && atomic_load(&handled) == 1);
	atomic_store(&go, 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	free(heap);
	return pass();
}

#endif
