/* SPDX-License-Identifier: MIT */
/* Regular files: offset, flags, which descriptors share one description, close-on-exec, numbers, append.
 * victim: alone */
#include <linux/kcmp.h>
#include <sys/stat.h>

#include "victim.h"

static int same_description(int a, int b)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b) == 0;
}

int main(void)
{
	int file, dup_of, high, again, append, beyond, write_only;
	char text[64], token[32];
	static char back[1 << 20];
	struct stat a, b;
	off_t end;

	file = open("regular.dat", O_RDWR | O_CREAT | O_TRUNC, 0640);
	CHECK(file >= 0 && write(file, "0123456789abcdefghij", 20) == 20);
	CHECK_EQ(lseek(file, 7, SEEK_SET), 7);
	dup_of = dup(file);
	high = fcntl(file, F_DUPFD_CLOEXEC, 317);
	again = open("regular.dat", O_RDONLY | O_CLOEXEC | O_NOATIME | O_NOFOLLOW);
	CHECK(dup_of >= 0 && high == 317 && again >= 0 && lseek(again, 3, SEEK_SET) == 3);
	append = open("append.dat", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	beyond = open("regular.dat", O_RDWR | O_DSYNC | O_CLOEXEC);
	CHECK(append >= 0 && beyond >= 0 && lseek(beyond, 1LL << 40, SEEK_SET) == 1LL << 40);
	write_only = open("written.dat", O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
	CHECK(write_only >= 0 && fstat(file, &a) == 0);
	hook();

	CHECK(fstat(file, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK_EQ(fcntl(file, F_GETFD), 0);
	CHECK_EQ(fcntl(dup_of, F_GETFD), 0);
	CHECK_EQ(fcntl(high, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(file, F_GETFL) & ~0100000, O_RDWR);
	CHECK_EQ(fcntl(again, F_GETFL) & ~0100000, O_RDONLY | O_NOATIME | O_NOFOLLOW);
	CHECK_EQ(fcntl(append, F_GETFL) & ~0100000, O_WRONLY | O_APPEND);
	CHECK_EQ(fcntl(beyond, F_GETFL) & ~0100000, O_RDWR | O_DSYNC);
	CHECK_EQ(fcntl(write_only, F_GETFL) & ~0100000, O_WRONLY | O_NONBLOCK);
	CHECK(same_description(file, dup_of) && same_description(file, high) && !same_description(file, again));
	CHECK_EQ(lseek(beyond, 0, SEEK_CUR), 1LL << 40);
	CHECK(read(file, text, 3) == 3 && memcmp(text, "789", 3) == 0);
	CHECK(read(high, text, 2) == 2 && memcmp(text, "ab", 2) == 0); /* one offset for the three */
	CHECK_EQ(lseek(dup_of, 0, SEEK_CUR), 12);
	CHECK(read(again, text, 2) == 2 && memcmp(text, "34", 2) == 0);
	CHECK_EQ(fcntl(dup_of, F_SETFL, O_APPEND), 0);
	CHECK_EQ(fcntl(file, F_GETFL) & O_APPEND, O_APPEND);

	snprintf(token, sizeof token, "%016llx\n", (unsigned long long)nonce());
	CHECK_EQ(write(append, token, 17), 17); /* everybody appends: nothing may be overwritten */
	end = open("append.dat", O_RDONLY | O_CLOEXEC);
	CHECK(end >= 0 && read((int)end, back, sizeof back - 1) >= 17 && strstr(back, token));
	CHECK(strlen(back) % 17 == 0);
	return pass();
}
