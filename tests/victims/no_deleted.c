/* SPDX-License-Identifier: MIT */
/* A file that is open and deleted: there is no path to open it by. victim: refused deleted */
#include "victim.h"

int main(void)
{
	int fd = open("deleted.dat", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char text[8];

	CHECK(fd >= 0 && write(fd, "kept", 4) == 4 && unlink("deleted.dat") == 0);
	hook();
	CHECK(pread(fd, text, 4, 0) == 4 && memcmp(text, "kept", 4) == 0);
	return pass();
}
