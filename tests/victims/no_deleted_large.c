/* SPDX-License-Identifier: MIT */
/* A large file that is deleted.
 * victim: refused "fd %d: deleted file %s, larger than %u MiB" */

#include "victim.h"

int main(void)
{
	int fd = open("large.dat", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && ftruncate(fd, 64 << 20) == 0 && unlink("large.dat") == 0);
	hook();
	return pass();
}
