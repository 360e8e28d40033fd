/* SPDX-License-Identifier: MIT */
/* A thread with a seccomp filter, which the others do not have.
 * victim: refused "thread %d has a seccomp filter" */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "victim.h"

static atomic_int started, may_end;

static void *other(void *arg)
{
	struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog program = {1, allow};

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
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
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	return pass();
}
