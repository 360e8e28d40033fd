/* SPDX-License-Identifier: MIT */
/* A thread that writes back memory for others (PR_SET_IO_FLUSHER).
 * victim: refused "thread %d is an I/O flusher (PR_SET_IO_FLUSHER)" */
#include <sys/prctl.h>

#include "victim.h"

int main(void)
{
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0)
		SKIP("PR_SET_IO_FLUSHER: %s", strerror(errno));
	hook();
	CHECK_EQ(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 1);
	return pass();
}
