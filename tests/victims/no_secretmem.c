/* SPDX-License-Identifier: MIT */
/* Memory that nobody else can read (memfd_secret).
 * victim: refused "memory at %#lx: secret memory (memfd_secret)" */
#include <sys/mman.h>

#include "victim.h"

int main(void)
{
	int fd = (int)syscall(447 /* memfd_secret */, 0);
	char *area;

	if (fd < 0)
		SKIP("memfd_secret: %s", strerror(errno));
	CHECK_EQ(ftruncate(fd, 8192), 0);
	area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(area != MAP_FAILED);
	memcpy(area + 5000, "secret", 6);
	close(fd);
	hook();
	CHECK(memcmp(area + 5000, "secret", 6) == 0);
	return pass();
}
