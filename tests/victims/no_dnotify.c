/* SPDX-License-Identifier: MIT */
/* Notification of changes in a directory (F_NOTIFY).
 * victim: refused "fd %d: notification of changes in %s (F_NOTIFY)" */

#include "victim.h"

int main(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK(dir >= 0 && fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
	signal(SIGIO, SIG_IGN);
	hook();
	CHECK_EQ(fcntl(dir, F_GETOWN), getpid());
	return pass();
}
