/* SPDX-License-Identifier: MIT */
/* A root directory of its own, taken before the hook; the daemon's socket is linked into it, so that the hook finds it.
 * victim: alone */
#include <sys/stat.h>

#include "victim.h"

int main(void)
{
	const char *socket_path = getenv("WARM_SOCKET");
	struct stat jail, seen;
	int fd;

	CHECK(mkdir("jail", 0700) == 0 || errno == EEXIST);
	CHECK(mkdir("jail/inside", 0700) == 0 || errno == EEXIST);
	unlink("jail/s");
	if (socket_path && access(socket_path, F_OK) == 0)
		CHECK_EQ(link(socket_path, "jail/s"), 0);
	CHECK_EQ(setenv("WARM_SOCKET", "/s", 1), 0);
	CHECK_EQ(stat("jail", &jail), 0);
	CHECK_EQ(chroot("jail"), 0);
	CHECK_EQ(chdir("/inside"), 0);
	fd = open("/file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, "jailed", 6) == 6);
	hook();

	CHECK(stat("/", &seen) == 0 && seen.st_ino == jail.st_ino && seen.st_dev == jail.st_dev);
	CHECK(stat("/..", &seen) == 0 && seen.st_ino == jail.st_ino);
	CHECK(stat("..", &seen) == 0 && seen.st_ino == jail.st_ino);
	CHECK(access("/inside", F_OK) == 0 && access("/usr", F_OK) == -1 && errno == ENOENT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	return pass();
}
