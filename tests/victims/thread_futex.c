/* SPDX-License-Identifier: MIT */
/* Many threads that wait in a futex: conditions, semaphores, plain FUTEX_WAIT; each goes on where it was, its stack
 * intact. */
#include <linux/futex.h>
#include <semaphore.h>

#include "victim.h"

#define N 60

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static atomic_int waiting, done, word, opened;

static void *wait_in(void *arg)
{
	int me = *(int *)arg, self = (int)syscall(SYS_gettid);
	uint64_t local[64];

	fill(local, sizeof local, me);
	atomic_fetch_add(&waiting, 1);
	switch (me % 4) {
	case 0:
		pthread_mutex_lock(&mutex);
		while (!atomic_load(&opened))
			pthread_cond_wait(&cond, &mutex);
		pthread_mutex_unlock(&mutex);
		break;
	case 1:
		while (sem_wait(&sem) != 0)
			CHECK(errno == EINTR);
		break;
	case 2:
		while (atomic_load(&word) == 0)
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		break;
	default: { /* timed, far away: may wake early, must not time out */
		struct timespec until = {time(NULL) + 3600, 0};

		pthread_mutex_lock(&mutex);
		while (!atomic_load(&opened))
			CHECK(pthread_cond_timedwait(&cond, &mutex, &until) == 0);
		pthread_mutex_unlock(&mutex);
	}
	}
	CHECK(filled(local, sizeof local, me));
	CHECK_EQ(syscall(SYS_gettid), self);
	atomic_fetch_add(&done, 1);
	return (void *)(intptr_t)(me + 1000);
}

int main(void)
{
	static pthread_t thread[N];
	static int number[N];

	CHECK_EQ(sem_init(&sem, 0, 0), 0);
	for (int i = 0; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, wait_in, &number[i]), 0);
	}
	CHECK(reached(&waiting, N));
	sleep_ms(30);
	hook();

	sleep_ms(20);
	CHECK_EQ(atomic_load(&done), 0); /* nobody went on by itself */
	pthread_mutex_lock(&mutex);
	atomic_store(&opened, 1);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < N / 4; i++)
		sem_post(&sem);
	atomic_store(&word, 1);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, N, NULL, NULL, 0);
	for (int i = 0; i < N; i++) {
		void *result;

		CHECK_EQ(pthread_join(thread[i], &result), 0);
		CHECK_EQ((intptr_t)result, i + 1000);
	}
	CHECK_EQ(pthread_create(&thread[0], NULL, wait_in, &number[0]), 0); /* and new ones can be made */
	CHECK_EQ(pthread_join(thread[0], NULL), 0);
	return pass();
}
