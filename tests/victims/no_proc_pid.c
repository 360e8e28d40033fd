/* SPDX-License-Identifier: MIT */
/* A file of /proc that is about this process: its number is another one in a clone's /proc.
 * victim: refused "fd %d: /proc/%s, which is about one process" */

#include "victim.h"

int main(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[64] = "";

	CHECK(fd >= 0 && read(fd, text, 20) == 20);
	hook();
	CHECK(pread(fd, text, 5, 0) == 5 && memcmp(text, "Name:", 5) == 0);
	return pass();
}
