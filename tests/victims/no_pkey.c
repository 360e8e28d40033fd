/* SPDX-License-Identifier: MIT */
/* Memory with a protection key.
 * victim: refused "memory at %#lx has a protection key" */
#include <sys/mman.h>

#include "victim.h"

int main(void)
{
	char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int key = pkey_alloc(0, 0);

	if (key < 0)
		SKIP("pkey_alloc: %s", strerror(errno));
	CHECK(area != MAP_FAILED && pkey_mprotect(area, 4096, PROT_READ | PROT_WRITE, key) == 0);
	hook();
	CHECK_EQ(pkey_free(key), 0);
	return pass();
}
