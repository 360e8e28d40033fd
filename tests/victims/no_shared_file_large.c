/* SPDX-License-Identifier: MIT */
/* More of a file mapped shared for writing than each launch can compare.
 * victim: refused "%lu KiB mapped shared for writing, more than a launch can compare: %s" */
#include <sys/mman.h>

#include "victim.h"

#define SIZE ((1u << 20) + 4096)

int main(void)
{
	int fd = open("shared-large.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *area;

	CHECK(fd >= 0 && ftruncate(fd, SIZE) == 0);
	area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(area != MAP_FAILED);
	close(fd);
	hook();
	area[SIZE - 1] = 7;
	CHECK_EQ(area[SIZE - 1], 7);
	return pass();
}
