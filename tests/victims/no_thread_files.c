/* SPDX-License-Identifier: MIT */
/* A thread with descriptors of its own.
 * victim: refused "thread %d has descriptors or a working directory of its own" */
#include <sched.h>

#include "victim.h"

static atomic_int started, may_end;

static void *other(void *arg)
{
	CHECK_EQ(unshare(CLONE_FILES), 0);
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	CHECK(fcntl(1, F_GETFD) >= 0);
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
