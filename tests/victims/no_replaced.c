/* SPDX-License-Identifier: MIT */
/* A file that was replaced by another one of its name. victim: refused deleted */

#include "victim.h"

int main(void)
{
	int fd = open("replaced.dat", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), other;
	char text[4] = "";

	CHECK(fd >= 0 && write(fd, "old", 3) == 3);
	other = open("other.dat", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(other >= 0 && write(other, "new", 3) == 3 && rename("other.dat", "replaced.dat") == 0);
	close(other);
	hook();
	CHECK(pread(fd, text, 3, 0) == 3 && memcmp(text, "old", 3) == 0);
	return pass();
}
