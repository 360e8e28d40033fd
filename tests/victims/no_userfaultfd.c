/* SPDX-License-Identifier: MIT */
/* A userfaultfd of the program's own.
 * victim: refused "fd %d: anon_inode:[userfaultfd] is not supported" */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "victim.h"

int main(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffd_msg msg;

	if (fd < 0)
		SKIP("userfaultfd: %s", strerror(errno));
	CHECK_EQ(ioctl(fd, UFFDIO_API, &api), 0);
	hook();
	CHECK(read(fd, &msg, sizeof msg) == -1 && errno == EAGAIN);
	return pass();
}
