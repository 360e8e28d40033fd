/* SPDX-License-Identifier: MIT */
/* A FIFO that was deleted.
 * victim: refused "fd %d: deleted FIFO %s" */
#include <sys/stat.h>

#include "victim.h"

int main(void)
{
	int fd;

	unlink("gone.fifo");
	CHECK_EQ(mkfifo("gone.fifo", 0600), 0);
	fd = open("gone.fifo", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && unlink("gone.fifo") == 0);
	hook();
	CHECK_EQ(write(fd, "x", 1), 1);
	return pass();
}
