/* SPDX-License-Identifier: MIT */
/* A thread with a working directory of its own.
 * victim: refused "thread %d has descriptors or a working directory of its own" */
#include <sched.h>

#include "victim.h"

static atomic_int started, may_end;

static void *other(void *arg)
{
	CHECK(unshare(CLONE_FS) == 0 && chdir("/") == 0);
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	CHECK_EQ(access("usr", F_OK), 0);
	return arg;
}

int main(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	CHECK(reached(&started, 1));
	hook();
	atomic_store(&may_end, 1);
	pthread_join(thread, NULL);
	return pass();
}
