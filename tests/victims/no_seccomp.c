/* SPDX-License-Identifier: MIT */
/* A seccomp filter, though it allows everything.
 * victim: refused "process %d has a seccomp filter" */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "victim.h"

int main(void)
{
	struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog program = {1, allow};

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	hook();
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
	return pass();
}
