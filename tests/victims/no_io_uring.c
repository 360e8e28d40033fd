/* SPDX-License-Identifier: MIT */
/* An io_uring instance.
 * victim: refused "memory at %#lx maps anon_inode:[io_uring]" */
#include <sys/mman.h>

#include "victim.h"

int main(void)
{
	unsigned params[30] = {0}; /* struct io_uring_params, 120 bytes */
	int fd = (int)syscall(SYS_io_uring_setup, 4, params);
	void *ring;

	if (fd < 0)
		SKIP("io_uring_setup: %s", strerror(errno));
	ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(ring != MAP_FAILED);
	hook();
	CHECK_EQ(syscall(SYS_io_uring_enter, fd, 0, 0, 0, NULL, 0), 0);
	return pass();
}
