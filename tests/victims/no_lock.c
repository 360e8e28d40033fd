/* SPDX-License-Identifier: MIT */
/* A lock on a file: a clone cannot hold the same one. victim: refused lock */
#include <sys/file.h>

#include "victim.h"

int main(void)
{
	int fd = open("locked.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600), other;

	CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
	hook();
	other = open("locked.dat", O_RDWR | O_CLOEXEC);
	CHECK(other >= 0 && flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	return pass();
}
