/* SPDX-License-Identifier: MIT */
/* Memory of huge pages that were reserved.
 * victim: refused "memory at %#lx: huge page file memory (flag ht) is not supported" */
#include <sys/mman.h>

#include "victim.h"

int main(void)
{
	char *area = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		SKIP("MAP_HUGETLB: %s", strerror(errno));
	hook();
	return pass();
}
