/* SPDX-License-Identifier: MIT */
/* /dev/null, zero, full, random, urandom: open, with their flags, doing what they do. */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "victim.h"

int main(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int full = open("/dev/full", O_RDWR), random = open("/dev/random", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int urandom = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	char a[64], b[64];
	struct stat st;

	CHECK(null >= 0 && zero >= 0 && full >= 0 && random >= 0 && urandom >= 0);
	CHECK_EQ(read(urandom, a, sizeof a), sizeof a);
	hook();
	CHECK(fstat(null, &st) == 0 && st.st_rdev == makedev(1, 3));
	CHECK_EQ(write(null, a, 10), 10);
	CHECK_EQ(read(null, b, 10), 0);
	CHECK_EQ(fcntl(null, F_GETFL) & O_ACCMODE, O_RDWR);
	memset(b, 1, sizeof b);
	CHECK(read(zero, b, sizeof b) == sizeof b && is_zero(b, sizeof b));
	CHECK(write(full, a, 1) == -1 && errno == ENOSPC);
	CHECK_EQ(fcntl(full, F_GETFD), 0);
	CHECK_EQ(fcntl(random, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK(fstat(random, &st) == 0 && st.st_rdev == makedev(1, 8));
	CHECK_EQ(read(random, b, sizeof b), sizeof b);
	CHECK(memcmp(a, b, sizeof a) != 0);
	CHECK_EQ(read(urandom, b, sizeof b), sizeof b);
	CHECK(memcmp(a, b, sizeof a) != 0);
	return pass();
}
