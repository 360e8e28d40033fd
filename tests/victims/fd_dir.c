/* SPDX-License-Identifier: MIT */
/* A directory read half: the rest comes after the hook, each entry once; relative opens through it work. */
#include <dirent.h>
#include <sys/stat.h>

#include "victim.h"

#define N 300

int main(void)
{
	static unsigned char seen[N];
	char name[64];
	int n = 0, fd, path_fd;
	DIR *dir;

	CHECK(mkdir("many", 0700) == 0 || errno == EEXIST);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "many/entry-%d-with-a-name-of-some-length", i);
		fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		CHECK(fd >= 0);
		close(fd);
	}
	dir = opendir("many");
	path_fd = open("many", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir && path_fd >= 0);
	for (int i = 0; i < 100; i++) {
		struct dirent *e = readdir(dir);

		CHECK(e);
		if (sscanf(e->d_name, "entry-%d-", &n) == 1)
			seen[n]++;
	}
	hook();
	for (struct dirent *e; (e = readdir(dir));)
		if (sscanf(e->d_name, "entry-%d-", &n) == 1)
			seen[n]++;
	for (int i = 0; i < N; i++)
		if (seen[i] != 1)
			FAIL("entry %d was seen %d times", i, seen[i]);
	CHECK_EQ(fcntl(path_fd, F_GETFL) & O_PATH, O_PATH);
	fd = openat(path_fd, "entry-5-with-a-name-of-some-length", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(dirfd(dir), F_GETFD), FD_CLOEXEC);
	return pass();
}
