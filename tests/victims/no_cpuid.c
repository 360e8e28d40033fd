/* SPDX-License-Identifier: MIT */
/* A process that gets a signal where it asks for the kind of CPU (ARCH_SET_CPUID).
 * victim: refused "process %d has the cpuid instruction switched off (ARCH_SET_CPUID)" */
#include <asm/prctl.h>

#include "victim.h"

int main(void)
{
	if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0)
		SKIP("ARCH_SET_CPUID: %s", strerror(errno));
	hook();
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0), 0);
	return pass();
}
