/* SPDX-License-Identifier: MIT */
/* A NUMA policy of the process.
 * victim: refused "process %d has a NUMA policy (set_mempolicy)" */
#include <linux/mempolicy.h>

#include "victim.h"

int main(void)
{
	unsigned long nodes = 1, seen = 0;
	int mode = 0;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8 * sizeof nodes) != 0)
		SKIP("set_mempolicy: %s", strerror(errno));
	hook();
	CHECK(syscall(SYS_get_mempolicy, &mode, &seen, 8 * sizeof seen, 0, 0) == 0 && mode == MPOL_BIND && seen == 1);
	return pass();
}
