/* SPDX-License-Identifier: MIT */
/* Locks of whole files, exclusive and shared, through descriptors that share a description. victim: alone */
#include <sys/file.h>

#include "victim.h"

static int locked(const char *name, int how)
{
	int fd = open(name, O_RDWR | O_CLOEXEC), r;

	CHECK(fd >= 0);
	r = flock(fd, how | LOCK_NB);
	CHECK(r == 0 || errno == EWOULDBLOCK);
	close(fd);
	return r != 0;
}

int main(void)
{
	int fd = open("locked.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600), same = dup(fd);
	int shared = open("shared.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int none = open("free.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && same >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
	CHECK(shared >= 0 && flock(shared, LOCK_SH | LOCK_NB) == 0);
	CHECK(dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0);
	CHECK(none >= 0 && flock(none, LOCK_EX | LOCK_NB) == 0 && flock(none, LOCK_UN) == 0);
	hook();
	CHECK(locked("locked.dat", LOCK_SH) && locked("locked.dat", LOCK_EX));
	CHECK(!locked("shared.dat", LOCK_SH) && locked("shared.dat", LOCK_EX));
	CHECK(!locked("free.dat", LOCK_EX));
	CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0); /* its own */
	close(fd);
	CHECK(locked("locked.dat", LOCK_SH));
	CHECK_EQ(flock(same, LOCK_UN), 0);
	CHECK(!locked("locked.dat", LOCK_EX));
	return pass();
}
