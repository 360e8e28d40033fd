/* SPDX-License-Identifier: MIT */
/* Names: a file that was renamed while it was open, one with two names, one open through a symbolic link, places
 * (O_PATH), direct and synchronous I/O. victim: alone */
#include <sys/stat.h>

#include "victim.h"

int main(void)
{
	int renamed, linked, through, place, dir_place, direct, sync;
	struct stat a[7], b;
	char text[16] = "";
	int fd[7];

	unlink("old");
	unlink("new");
	unlink("one");
	unlink("two");
	unlink("sym");
	renamed = open("old", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	linked = open("one", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	CHECK(renamed >= 0 && linked >= 0 && write(renamed, "renamed", 7) == 7);
	CHECK(rename("old", "new") == 0 && link("one", "two") == 0 && symlink("one", "sym") == 0);
	through = open("sym", O_RDONLY | O_CLOEXEC);
	place = open("new", O_PATH | O_CLOEXEC);
	dir_place = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	direct = open("new", O_RDONLY | O_DIRECT | O_CLOEXEC);
	sync = open("two", O_WRONLY | O_APPEND | O_SYNC | O_CLOEXEC);
	CHECK(through >= 0 && place >= 0 && dir_place >= 0 && sync >= 0);
	memcpy(fd, (int[]){renamed, linked, through, place, dir_place, sync, direct}, sizeof fd);
	for (int i = 0; i < 7; i++)
		CHECK(fd[i] < 0 || fstat(fd[i], &a[i]) == 0);
	hook();

	for (int i = 0; i < 7; i++) {
		CHECK(fd[i] < 0 || fstat(fd[i], &b) == 0);
		CHECK(fd[i] < 0 || (a[i].st_ino == b.st_ino && a[i].st_dev == b.st_dev));
	}
	CHECK(lseek(renamed, 0, SEEK_CUR) == 7 && pread(renamed, text, 7, 0) == 7);
	CHECK_STR(text, "renamed");
	CHECK(openat(dir_place, "new", O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(read(place, text, 1) == -1 && errno == EBADF);
	CHECK_EQ(fcntl(place, F_GETFL) & O_PATH, O_PATH);
	CHECK_EQ(fcntl(sync, F_GETFL) & (O_SYNC | O_APPEND), O_SYNC | O_APPEND);
	CHECK(direct < 0 || (fcntl(direct, F_GETFL) & O_DIRECT));
	return pass();
}
