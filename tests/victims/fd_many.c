/* SPDX-License-Identifier: MIT */
/* Descriptors with high and scattered numbers, hundreds of duplicates of one description, and those that were opened
 * again and share nothing. */
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "victim.h"

#define N 300

int main(void)
{
	int one = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), high, top, event[N], again[N], same[N];
	struct rlimit limit;
	uint64_t value;
	char byte;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	high = fcntl(one, F_DUPFD, 1023);
	top = fcntl(one, F_DUPFD_CLOEXEC, (int)(limit.rlim_cur < 1024 ? limit.rlim_cur : 1024) - 1);
	CHECK(one >= 0 && (high == 1023 || limit.rlim_cur <= 1023));
	for (int i = 0; i < N; i++) {
		again[i] = open("/proc/self/exe", O_RDONLY | (i % 2 ? O_CLOEXEC : 0));
		CHECK(again[i] >= 0 && lseek(again[i], i * 3, SEEK_SET) == i * 3);
	}
	for (int i = 0; i < N; i++) {
		event[i] = eventfd((unsigned)i, i % 3 ? EFD_NONBLOCK : EFD_CLOEXEC);
		same[i] = i % 2 ? dup(event[i]) : -1;
		CHECK(event[i] >= 0 && (same[i] >= 0 || i % 2 == 0));
	}
	for (int i = 0; i < N; i += 5) /* gaps between the numbers */
		close(again[i]);
	CHECK_EQ(lseek(one, 4321, SEEK_SET), 4321);
	hook();

	CHECK(high < 0 || lseek(high, 0, SEEK_CUR) == 4321);
	CHECK(top < 0 || (read(top, &byte, 1) == 1 && lseek(one, 0, SEEK_CUR) == 4322));
	for (int i = 0; i < N; i++) {
		if (i % 5 == 0) {
			CHECK(fcntl(again[i], F_GETFD) == -1 && errno == EBADF);
			continue;
		}
		CHECK_EQ(lseek(again[i], 0, SEEK_CUR), i * 3);
		CHECK_EQ(fcntl(again[i], F_GETFD), i % 2 ? FD_CLOEXEC : 0);
	}
	for (int i = 1; i < N; i++) {
		CHECK(read(i % 2 ? same[i] : event[i], &value, 8) == 8 && value == (uint64_t)i);
		CHECK_EQ(fcntl(event[i], F_GETFD), i % 3 ? 0 : FD_CLOEXEC);
		value = 7;
		CHECK(write(event[i], &value, 8) == 8);
		value = 0;
		CHECK(read(i % 2 ? same[i] : event[i], &value, 8) == 8 && value == 7);
	}
	return pass();
}
