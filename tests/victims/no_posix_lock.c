/* SPDX-License-Identifier: MIT */
/* A POSIX record lock. victim: refused lock */
#include <sys/wait.h>

#include "victim.h"

int main(void)
{
	int fd = open("record.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600), status = -1;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
	pid_t child;

	CHECK(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
	hook();
	child = fork();
	if (child == 0)
		_exit(fcntl(fd, F_SETLK, &lock) == -1 ? 0 : 1);
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	return pass();
}
