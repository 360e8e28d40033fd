/* SPDX-License-Identifier: MIT */
/* A symbolic link itself, open as a place (O_PATH, O_NOFOLLOW).
 * victim: refused "fd %d: special file %s" */

#include "victim.h"

int main(void)
{
	char text[16] = "";
	int fd;

	unlink("link");
	CHECK_EQ(symlink("target", "link"), 0);
	fd = open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	CHECK(fd >= 0);
	hook();
	CHECK(readlinkat(fd, "", text, sizeof text) == 6);
	return pass();
}
