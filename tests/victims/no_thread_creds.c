/* SPDX-License-Identifier: MIT */
/* A thread with other credentials than the process.
 * victim: refused "thread %d has other credentials than thread %d" */

#include "victim.h"

static atomic_int started, may_end;

static void *other(void *arg)
{
	/* by the system call: libc's function would change all threads */
	if (syscall(SYS_setresgid, -1, 65534, -1) != 0)
		SKIP("setresgid: %s", strerror(errno));
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	CHECK_EQ(syscall(SYS_getegid), 65534);
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
