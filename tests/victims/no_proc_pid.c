/* SPDX-License-Identifier: MIT */
/* A file of /proc that is about this process, half read: the rest would be that of another text. It stays open,
 * whatever another thread could do meanwhile. victim: refused "fd %d: /proc/%s, which is about one process" */

#include "victim.h"

static atomic_int started, may_end;

static void *other(void *arg)
{
	atomic_store(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	return arg;
}

int main(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[64] = "";
	pthread_t thread;

	CHECK(fd >= 0 && read(fd, text, 20) == 20);
	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	CHECK(reached(&started, 1));
	hook();
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 20);
	CHECK(pread(fd, text, 5, 0) == 5 && memcmp(text, "Name:", 5) == 0);
	atomic_store(&may_end, 1);
	pthread_join(thread, NULL);
	return pass();
}
