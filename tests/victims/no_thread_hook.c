/* SPDX-License-Identifier: MIT */
/* Another thread than the main one calls the hook, and is refused: it hears so, and all go on.
 * victim: refused "fd %d: memory file %s" */
#include <sys/mman.h>

#include "victim.h"

static __thread uint64_t local[32];
static atomic_int outcome = -1, busy, may_end;

static void *worker(void *arg)
{
	atomic_store(&busy, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	return arg;
}

static void *caller(void *arg)
{
	long tid = syscall(SYS_gettid);

	fill(local, sizeof local, 77);
	atomic_store(&outcome, hook());
	CHECK(syscall(SYS_gettid) == tid && tid != getpid() && filled(local, sizeof local, 77));
	return arg;
}

int main(void)
{
	int fd = memfd_create("here", MFD_CLOEXEC);
	pthread_t other, hooked;
	void *result = NULL;
	char text[8] = "";

	CHECK_EQ(write(fd, "kept", 4), 4);
	CHECK_EQ(pthread_create(&other, NULL, worker, NULL), 0);
	CHECK(reached(&busy, 1));
	CHECK_EQ(pthread_create(&hooked, NULL, caller, local), 0);
	CHECK_EQ(pthread_join(hooked, &result), 0);
	CHECK(result == local);
	CHECK_EQ(atomic_load(&outcome), WARM_COLD);
	CHECK_EQ(hook(), WARM_COLD);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK(pread(fd, text, 4, 0) == 4 && strcmp(text, "kept") == 0);
	atomic_store(&may_end, 1);
	pthread_join(other, NULL);
	return pass();
}
