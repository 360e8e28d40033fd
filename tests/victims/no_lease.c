/* SPDX-License-Identifier: MIT */
/* A lease on a file.
 * victim: refused "fd %d: a file lease (%s) on %s" */
#include "victim.h"

int main(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
	hook();
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	return pass();
}
