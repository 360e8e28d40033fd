/* SPDX-License-Identifier: MIT */
/* A pidfd.
 * victim: refused "fd %d: anon_inode:[pidfd] is not supported" */
#include "victim.h"

int main(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	CHECK(fd >= 0);
	hook();
	CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
	return pass();
}
