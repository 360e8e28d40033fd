/* SPDX-License-Identifier: MIT */
/* Permission to use AMX tiles, which a clone would not have.
 * victim: refused "process %d has asked for AMX tiles (ARCH_REQ_XCOMP_PERM)" */
#include <asm/prctl.h>

#include "victim.h"

#define TILE_DATA 18

int main(void)
{
	uint64_t features = 0;

	if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) != 0)
		SKIP("this processor has no AMX tiles: %s", strerror(errno));
	hook();
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &features), 0);
	CHECK(features >> TILE_DATA & 1);
	return pass();
}
