/* SPDX-License-Identifier: MIT */
/* A file that never had a name (O_TMPFILE). victim: refused deleted */

#include "victim.h"

int main(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char text[8];

	if (fd < 0)
		SKIP("O_TMPFILE: %s", strerror(errno));
	CHECK_EQ(write(fd, "kept", 4), 4);
	hook();
	CHECK(pread(fd, text, 4, 0) == 4 && memcmp(text, "kept", 4) == 0);
	return pass();
}
