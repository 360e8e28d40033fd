/* SPDX-License-Identifier: MIT */
/* umask, working directory, root: as the program had set them before the hook. */
#include <sys/stat.h>

#include "victim.h"

int main(void)
{
	static char before[4096], after[4096], link_before[4096], link_after[4096];
	struct stat here, there, root_before, root_after;
	char name[64];
	int fd;

	CHECK(mkdir("deeper", 0700) == 0 || errno == EEXIST);
	CHECK_EQ(chdir("deeper"), 0);
	umask(027);
	CHECK(getcwd(before, sizeof before));
	CHECK(readlink("/proc/self/cwd", link_before, sizeof link_before - 1) > 0);
	CHECK(stat(".", &here) == 0 && stat("/", &root_before) == 0);
	hook();

	CHECK(getcwd(after, sizeof after));
	CHECK_STR(after, before);
	CHECK(readlink("/proc/self/cwd", link_after, sizeof link_after - 1) > 0);
	CHECK_STR(link_after, link_before);
	CHECK(stat(".", &there) == 0 && there.st_ino == here.st_ino && there.st_dev == here.st_dev);
	CHECK(stat("/", &root_after) == 0 && root_after.st_ino == root_before.st_ino);
	snprintf(name, sizeof name, "made-%llx", (unsigned long long)nonce());
	fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0777);
	CHECK(fd >= 0 && fstat(fd, &there) == 0);
	CHECK_EQ(there.st_mode & 0777, 0750);
	CHECK_EQ(umask(0), 027);
	return pass();
}
