/* SPDX-License-Identifier: MIT */
/* A memfd, open and mapped.
 * victim: refused "memory at %#lx maps a deleted file: /memfd:%s" */
#include <sys/mman.h>

#include "victim.h"

int main(void)
{
	int fd = memfd_create("victim", MFD_CLOEXEC);
	char *area, text[8];

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
	area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(area != MAP_FAILED);
	memcpy(area + 5000, "shared", sizeof("shared"));
	hook();
	CHECK(pread(fd, text, 6, 5000) == 6 && memcmp(text, "shared", 6) == 0);
	return pass();
}
