/* SPDX-License-Identifier: MIT */
/* A process whose equal pages are merged (PR_SET_MEMORY_MERGE).
 * victim: refused "process %d has its equal pages merged (PR_SET_MEMORY_MERGE)" */
#include <sys/prctl.h>

#include "victim.h"

int main(void)
{
	if (prctl(67 /* PR_SET_MEMORY_MERGE */, 1, 0, 0, 0) != 0)
		SKIP("PR_SET_MEMORY_MERGE: %s", strerror(errno));
	hook();
	CHECK_EQ(prctl(68 /* PR_GET_MEMORY_MERGE */, 0, 0, 0, 0), 1);
	return pass();
}
