/* SPDX-License-Identifier: MIT */
/* A pseudo-terminal of its own, with bytes in it.
 * victim: refused "fd %d: pseudo-terminal %s" */
#include <sys/ioctl.h>

#include "victim.h"

int main(void)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), slave, unlock = 0;
	char text[8];

	CHECK(master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0 && write(master, "line\n", 5) == 5);
	hook();
	CHECK(read(slave, text, sizeof text) == 5 && memcmp(text, "line\n", 5) == 0);
	return pass();
}
