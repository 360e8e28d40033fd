/* SPDX-License-Identifier: MIT */
/* Files of /proc about this process and a thread of it, to be read from their beginning: they tell of whoever reads
 * them. */
#include <sys/prctl.h>

#include "victim.h"

static atomic_int tid, may_end;

static void *other(void *arg)
{
	atomic_store(&tid, (int)syscall(SYS_gettid));
	while (!atomic_load(&may_end))
		sleep_ms(1);
	return arg;
}

static void whole(int fd, char *to, size_t room)
{
	ssize_t len = pread(fd, to, room - 1, 0);

	CHECK(len > 0);
	to[len] = 0;
}

int main(void)
{
	static char text[8192], want[8192];
	char path[64], name[16];
	int stat = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), again = dup(stat), status, theirs;
	unsigned long start = 0;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	CHECK(reached(&tid, 1));
	status = open("/proc/thread-self/status", O_RDONLY | O_NONBLOCK);
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", atomic_load(&tid));
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(stat >= 0 && again >= 0 && status >= 0 && theirs >= 0);
	whole(stat, text, sizeof text);
	CHECK(read(status, text, sizeof text) > 100 && lseek(status, 0, SEEK_SET) == 0);
	hook();

	snprintf(name, sizeof name, "n%08x", (unsigned)nonce()); /* of this copy alone */
	CHECK_EQ(prctl(PR_SET_NAME, name), 0);
	slurp("/proc/self/stat", want, sizeof want);
	CHECK_EQ(read(stat, text, 10), 10);
	CHECK_EQ(lseek(again, 0, SEEK_CUR), 10);
	CHECK(read(again, text + 10, sizeof text - 10) > 100);
	CHECK(strstr(text, name) && atoi(text) == getpid());
	CHECK(sscanf(strrchr(text, ')'),
	             ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lu", &start) == 1);
	snprintf(path, sizeof path, " %lu ", start);
	CHECK(start > 0 && strstr(strrchr(want, ')'), path));
	CHECK(read(status, text, sizeof text) > 100);
	CHECK(strstr(text, name) && strstr(text, "\nThreads:\t2\n"));
	CHECK_EQ(fcntl(status, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_EQ(pthread_setname_np(thread, name), 0);
	whole(theirs, text, sizeof text);
	text[strcspn(text, "\n")] = 0;
	CHECK_STR(text, name);
	atomic_store(&may_end, 1);
	pthread_join(thread, NULL);
	return pass();
}
