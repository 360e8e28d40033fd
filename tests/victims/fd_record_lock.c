/* SPDX-License-Identifier: MIT */
/* Record locks: of the process and of descriptions, ranges, to the end of the file, read and write. victim: alone */
#include <sys/wait.h>

#include "victim.h"

/* What a process of its own is told about this byte: F_UNLCK, F_RDLCK or F_WRLCK. */
static int seen_at(const char *name, off_t at)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		int fd = open(name, O_RDWR | O_CLOEXEC);

		_exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type : 99);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void take(int fd, int how, short type, off_t start, off_t len)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	CHECK_EQ(fcntl(fd, how, &lock), 0);
}

int main(void)
{
	int record = open("record.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int own = open("own.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int other = open("own.dat", O_RDWR | O_CLOEXEC);
	struct flock mine = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 150, .l_len = 1};

	CHECK(record >= 0 && own >= 0 && other >= 0);
	take(record, F_SETLK, F_WRLCK, 10, 10);
	take(record, F_SETLK, F_RDLCK, 30, 5);
	take(record, F_SETLK, F_WRLCK, 1LL << 40, 0);
	take(own, F_OFD_SETLK, F_WRLCK, 100, 100);
	take(other, F_OFD_SETLK, F_RDLCK, 300, 0);
	hook();
	CHECK_EQ(seen_at("record.dat", 9), F_UNLCK);
	CHECK_EQ(seen_at("record.dat", 10), F_WRLCK);
	CHECK_EQ(seen_at("record.dat", 19), F_WRLCK);
	CHECK_EQ(seen_at("record.dat", 20), F_UNLCK);
	CHECK_EQ(seen_at("record.dat", 32), F_RDLCK);
	CHECK_EQ(seen_at("record.dat", (1LL << 40) - 1), F_UNLCK);
	CHECK_EQ(seen_at("record.dat", 1LL << 50), F_WRLCK);
	CHECK_EQ(seen_at("own.dat", 199), F_WRLCK);
	CHECK_EQ(seen_at("own.dat", 200), F_UNLCK);
	CHECK_EQ(seen_at("own.dat", 1LL << 50), F_RDLCK);
	/* Each description has its own: one is in the other's way, and goes with its last descriptor. */
	CHECK(fcntl(other, F_OFD_SETLK, &mine) == -1 && errno == EAGAIN);
	close(own);
	CHECK_EQ(seen_at("own.dat", 150), F_UNLCK);
	close(open("record.dat", O_RDONLY | O_CLOEXEC)); /* any close of the file ends the process's locks on it */
	CHECK_EQ(seen_at("record.dat", 10), F_UNLCK);
	return pass();
}
