/* SPDX-License-Identifier: MIT */
/* eventfd: counters, semaphore mode, flags, a thread that waits in one. */
#include <sys/eventfd.h>

#include "victim.h"

static int waited_for;
static atomic_int waiting, woken;

static void *waiter(void *arg)
{
	uint64_t value = 0;

	atomic_store(&waiting, 1);
	CHECK_EQ(read(waited_for, &value, 8), 8);
	CHECK_EQ(value, 11);
	atomic_store(&woken, 1);
	return arg;
}

int main(void)
{
	int plain = eventfd(5, EFD_CLOEXEC), sem = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK),
	    zero = eventfd(0, EFD_NONBLOCK);
	int full = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t value = 0xfffffffffffffffeu, add = 11;
	pthread_t thread;

	waited_for = eventfd(0, EFD_CLOEXEC);
	CHECK_EQ(write(full, &value, 8), 8);
	CHECK_EQ(pthread_create(&thread, NULL, waiter, NULL), 0);
	CHECK(reached(&waiting, 1));
	sleep_ms(10);
	hook();

	CHECK_EQ(fcntl(plain, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(sem, F_GETFD), 0);
	CHECK_EQ(fcntl(sem, F_GETFL) & ~0100000, O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(plain, F_GETFL) & ~0100000, O_RDWR);
	CHECK(read(plain, &value, 8) == 8 && value == 5);
	for (int i = 0; i < 3; i++)
		CHECK(read(sem, &value, 8) == 8 && value == 1);
	CHECK(read(sem, &value, 8) == -1 && errno == EAGAIN);
	CHECK(read(zero, &value, 8) == -1 && errno == EAGAIN);
	value = 1;
	CHECK(write(full, &value, 8) == -1 && errno == EAGAIN);
	CHECK(read(full, &value, 8) == 8 && value == 0xfffffffffffffffeu);
	CHECK_EQ(atomic_load(&woken), 0);
	CHECK_EQ(write(waited_for, &add, 8), 8);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return pass();
}
