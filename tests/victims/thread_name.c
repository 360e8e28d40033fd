/* SPDX-License-Identifier: MIT */
/* Names of threads, their number and ids, as /proc and the threads themselves see them. */
#include <dirent.h>
#include <sys/prctl.h>

#include "victim.h"

#define N 8

static atomic_int started, may_end;
static pid_t tid[N + 1];

static void *named(void *arg)
{
	int me = *(int *)arg;
	char name[16], seen[16] = "";

	snprintf(name, sizeof name, me % 2 ? " \\n (%d)\n\\\n" : "victim (%d) é", me); /* /proc writes some otherwise */
	CHECK_EQ(prctl(PR_SET_NAME, name), 0);
	tid[me] = (pid_t)syscall(SYS_gettid);
	atomic_fetch_add(&started, 1);
	while (!atomic_load(&may_end))
		sleep_ms(1);
	CHECK_EQ(syscall(SYS_gettid), tid[me]);
	CHECK_EQ(prctl(PR_GET_NAME, seen), 0);
	CHECK_STR(seen, name);
	return NULL;
}

int main(void)
{
	static pthread_t thread[N];
	static int number[N];
	static char name[N + 1][64], path[64], seen[64];
	pid_t pid = getpid(), parent = getppid();
	int n = 0, outcome;
	DIR *tasks;

	for (int i = 0; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, named, &number[i]), 0);
	}
	CHECK(reached(&started, N));
	CHECK_EQ(prctl(PR_SET_NAME, "the main one"), 0);
	tid[N] = (pid_t)syscall(SYS_gettid);
	for (int i = 0; i <= N; i++) {
		snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid[i]);
		slurp(path, name[i], sizeof name[i]);
	}
	outcome = hook();

	CHECK_EQ(getppid(), outcome == WARM_RESTORED ? 1 : parent);

	CHECK_EQ(getpid(), pid);
	CHECK_EQ(syscall(SYS_gettid), tid[N]);
	for (int i = 0; i <= N; i++) {
		snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid[i]);
		slurp(path, seen, sizeof seen);
		CHECK_STR(seen, name[i]);
	}
	tasks = opendir("/proc/self/task");
	for (struct dirent *e; (e = readdir(tasks));)
		n += e->d_name[0] != '.';
	closedir(tasks);
	CHECK_EQ(n, N + 1);
	atomic_store(&may_end, 1);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
