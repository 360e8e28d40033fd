/* SPDX-License-Identifier: MIT */
/* A thread whose personality is another one than the process's.
 * victim: refused "thread %d has another personality than thread %d" */
#include <sys/personality.h>

#include "victim.h"

static atomic_int started, may_end;

static void *other(void *arg)
{
	CHECK(personality(ADDR_COMPAT_LAYOUT) >= 0);
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	CHECK_EQ(personality(0xffffffff), ADDR_COMPAT_LAYOUT);
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
