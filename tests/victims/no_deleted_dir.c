/* SPDX-License-Identifier: MIT */
/* A directory that was removed while it is open.
 * victim: refused "fd %d: a directory without a name, %s" */
#include <sys/stat.h>

#include "victim.h"

int main(void)
{
	int fd;

	CHECK(mkdir("gone", 0700) == 0 || errno == EEXIST);
	fd = open("gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0 && rmdir("gone") == 0);
	hook();
	CHECK(openat(fd, "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) == -1 && errno == ENOENT);
	return pass();
}
