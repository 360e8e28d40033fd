/* SPDX-License-Identifier: MIT */
/* crowd THREADS AREAS DESCRIPTORS: a program that has that many more of each, ready and idle. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <warm.h>

static pthread_barrier_t all_there;
static pthread_mutex_t never = PTHREAD_MUTEX_INITIALIZER;

static void *idle(void *arg)
{
	pthread_barrier_wait(&all_there);
	pthread_mutex_lock(&never);
	return arg;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1, areas = argc > 2 ? atoi(argv[2]) : 0;
	int descriptors = argc > 3 ? atoi(argv[3]) : 0;
	struct rlimit limit;
	pthread_attr_t attr;
	pthread_t thread;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	pthread_mutex_lock(&never);
	pthread_barrier_init(&all_there, NULL, (unsigned)threads);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 1; i < threads; i++)
		if (pthread_create(&thread, &attr, idle, NULL) != 0)
			return fail("thread");
	if (threads > 1)
		pthread_barrier_wait(&all_there);
	/* Neighbours of other protection do not merge. */
	for (int i = 0; i < areas; i++)
		if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		    MAP_FAILED)
			return fail("area");
	for (int i = 0; i < descriptors; i++)
		if (eventfd(0, EFD_CLOEXEC) < 0)
			return fail("descriptor");
	warm_ready(0);
	if (write(1, "on\n", 3) != 3)
		return 1;
	_exit(0);
}
