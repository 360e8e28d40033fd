/* SPDX-License-Identifier: MIT */
/* Mutexes know their owner by thread id: error-checking, recursive, robust and priority-inheriting ones, held across
 * the hook. */
#include "victim.h"

static pthread_mutex_t mutex[4]; /* errorcheck, recursive, robust, PI */
static atomic_int held, step;

static void *owner(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_mutex_lock(&mutex[i]), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex[1]), 0);
	atomic_store(&held, 1);
	while (!atomic_load(&step))
		sleep_ms(1);
	CHECK_EQ(pthread_mutex_lock(&mutex[0]), EDEADLK); /* still ours */
	CHECK_EQ(pthread_mutex_unlock(&mutex[0]), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex[1]), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_mutex_unlock(&mutex[1]), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex[1]), EPERM);
	CHECK_EQ(pthread_mutex_unlock(&mutex[3]), 0);
	return NULL; /* dies with the robust one */
}

int main(void)
{
	pthread_mutexattr_t attr[4];
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		pthread_mutexattr_init(&attr[i]);
	pthread_mutexattr_settype(&attr[0], PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutexattr_settype(&attr[1], PTHREAD_MUTEX_RECURSIVE);
	pthread_mutexattr_setrobust(&attr[2], PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr[3], PTHREAD_PRIO_INHERIT);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_mutex_init(&mutex[i], &attr[i]), 0);
	CHECK_EQ(pthread_create(&thread, NULL, owner, NULL), 0);
	CHECK(reached(&held, 1));
	hook();

	CHECK_EQ(pthread_mutex_unlock(&mutex[0]), EPERM);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_mutex_trylock(&mutex[i]), EBUSY);
	atomic_store(&step, 1);
	CHECK_EQ(pthread_join(thread, NULL), 0); /* the kernel clears and wakes the tid word that glibc waits on */
	CHECK_EQ(pthread_mutex_lock(&mutex[2]), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&mutex[2]), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex[2]), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex[3]), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex[3]), 0);
	return pass();
}
