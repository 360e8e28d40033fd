/* SPDX-License-Identifier: MIT */
/* A process that made itself undumpable stays so. */
#include <sys/prctl.h>

#include "victim.h"

int main(void)
{
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
	hook();
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	return pass();
}
