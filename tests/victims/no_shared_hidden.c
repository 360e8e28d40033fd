/* SPDX-License-Identifier: MIT */
/* Shared memory of which a part, with data, is mapped nowhere any more.
 * victim: refused "memory at %#lx: shared memory of which a part with data is unmapped" */
#include <sys/mman.h>

#include "victim.h"

int main(void)
{
	char *area = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(area != MAP_FAILED);
	memset(area, 1, 3 * 4096);
	CHECK_EQ(munmap(area + 4096, 4096), 0);
	hook();
	CHECK(area[0] == 1 && area[2 * 4096] == 1);
	return pass();
}
