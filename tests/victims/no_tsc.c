/* SPDX-License-Identifier: MIT */
/* A process that gets a signal where it reads the time stamp counter (PR_SET_TSC).
 * victim: refused "process %d has its time stamp counter switched off (PR_SET_TSC)" */
#include <sys/prctl.h>

#include "victim.h"

int main(void)
{
	int mode = 0;

	CHECK_EQ(prctl(PR_SET_TSC, PR_TSC_SIGSEGV), 0); /* the vdso reads it, too: no clock from here on */
	hook();
	CHECK(prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_SIGSEGV);
	return pass();
}
