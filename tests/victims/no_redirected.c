/* SPDX-License-Identifier: MIT */
/* A program that has redirected its own standard input: a clone's launch would stand there.
 * victim: refused "fd 0: the program has redirected it to /dev/zero" */
#include "victim.h"

int main(void)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char c = 1;

	CHECK(fd >= 0 && dup2(fd, 0) == 0 && close(fd) == 0);
	hook();
	CHECK(read(0, &c, 1) == 1 && c == 0);
	return pass();
}
