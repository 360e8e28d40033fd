/* SPDX-License-Identifier: MIT */
/* Files of /proc and /sys that are about the machine, half read: the rest comes after the hook. */
#include "victim.h"

static size_t rest(int fd, char *to, size_t room)
{
	size_t len = 0;
	ssize_t got;

	while (len < room - 1 && (got = read(fd, to + len, room - 1 - len)) > 0)
		len += (size_t)got;
	to[len] = 0;
	return len;
}

int main(void)
{
	static char whole[65536], first[200], second[65536];
	int cpus = open("/proc/filesystems", O_RDONLY | O_CLOEXEC), switch_fd;
	char text[64] = "";

	switch_fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
	slurp("/proc/filesystems", whole, sizeof whole);
	CHECK(cpus >= 0 && read(cpus, first, 100) == 100);
	CHECK(switch_fd >= 0 && read(switch_fd, text, 3) == 3);
	hook();

	rest(cpus, second, sizeof second);
	CHECK(memcmp(whole, first, 100) == 0);
	CHECK_STR(second, whole + 100);
	CHECK_EQ(lseek(switch_fd, 0, SEEK_CUR), 3);
	CHECK(rest(switch_fd, text + 3, sizeof text - 3) > 3 && strstr(text, "["));
	return pass();
}
