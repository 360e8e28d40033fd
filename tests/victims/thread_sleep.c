/* SPDX-License-Identifier: MIT */
/* Threads asleep in system calls with a time: nanosleep, clock_nanosleep, poll, select, epoll_wait, usleep loops. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "victim.h"

#define MS 700
#define N  5

static atomic_int asleep, done;

static void *sleeper(void *arg)
{
	int kind = *(int *)arg, result = 0;
	int64_t began = now_ns(CLOCK_MONOTONIC), until = began + MS * 1000000LL;
	struct timespec left = {MS / 1000, MS % 1000 * 1000000}, end = {until / 1000000000, until % 1000000000};
	struct timeval tv = {MS / 1000, MS % 1000 * 1000};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	atomic_fetch_add(&asleep, 1);
	errno = 0;
	switch (kind) {
	case 0:
		while ((result = nanosleep(&left, &left)) < 0 && errno == EINTR)
			CHECK(left.tv_sec == 0 && left.tv_nsec > 0 && left.tv_nsec < MS * 1000000L);
		break;
	case 1:
		while ((result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL)) == EINTR)
			;
		break;
	case 2:
		result = poll(NULL, 0, MS);
		break;
	case 3:
		result = select(0, NULL, NULL, NULL, &tv);
		break;
	default:
		result = epoll_wait(epoll, &(struct epoll_event){0}, 1, MS);
	}
	/* An interrupted wait with a time may report EINTR; anything else is wrong. */
	if (result != 0 && !(result == -1 && errno == EINTR))
		FAIL("wait of kind %d returned %d, %s", kind, result, strerror(errno));
	close(epoll);
	atomic_fetch_add(&done, 1);
	return NULL;
}

int main(void)
{
	static pthread_t thread[N];
	static int number[N];

	for (int i = 0; i < N; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, sleeper, &number[i]), 0);
	}
	CHECK(reached(&asleep, N));
	sleep_ms(50);
	hook();
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_EQ(atomic_load(&done), N);
	return pass();
}
