/* SPDX-License-Identifier: MIT */
/* Threads that wait until a time, not for one: what had half a second to go has half a second to go in a clone, however
 * long that lay in its image. Dates stay dates. */
#include <semaphore.h>
#include <sys/mman.h>

#include "victim.h"

#define MS 700
#define N  9

struct wait {
	int (*until)(const struct timespec *end);
	clockid_t clock; /* that it counts on */
	int want;        /* what the wait returns in the end; -1: it never ends */
	int stays;       /* the time is where it was */
	struct timespec *end, was;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never_mono, never_date = PTHREAD_COND_INITIALIZER;
static sem_t closed;
static atomic_int asleep;

static int until_cond(const struct timespec *end)
{
	return pthread_cond_timedwait(&never_mono, &mutex, end);
}

static int until_cond_date(const struct timespec *end)
{
	return pthread_cond_timedwait(&never_date, &mutex, end);
}

/* Unlike a condition's, its caller hears of an EINTR. */
static int until_sem(const struct timespec *end)
{
	return sem_clockwait(&closed, CLOCK_MONOTONIC, end) < 0 ? errno : 0;
}

static int until_sem_date(const struct timespec *end)
{
	return sem_timedwait(&closed, end) < 0 ? errno : 0;
}

static int until_sleep(const struct timespec *end)
{
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, end, NULL);
}

static int until_sleep_boot(const struct timespec *end)
{
	return clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, end, NULL);
}

static struct timespec both, constant[4096 / sizeof(struct timespec)] __attribute__((aligned(4096)));

static struct wait waits[N] = {
        {until_cond, CLOCK_MONOTONIC, ETIMEDOUT, 0, NULL, {0}},
        {until_sem, CLOCK_MONOTONIC, ETIMEDOUT, 0, NULL, {0}},
        {until_sleep, CLOCK_MONOTONIC, 0, 0, NULL, {0}},
        {until_sleep_boot, CLOCK_BOOTTIME, 0, 0, NULL, {0}},
        {until_sem, CLOCK_MONOTONIC, ETIMEDOUT, 0, &both, {0}}, /* two of them wait for one */
        {until_sem, CLOCK_MONOTONIC, ETIMEDOUT, 0, &both, {0}},
        {until_cond_date, CLOCK_REALTIME, ETIMEDOUT, 1, NULL, {0}},
        {until_sem_date, CLOCK_REALTIME, ETIMEDOUT, 1, NULL, {0}},
        {until_sem, CLOCK_MONOTONIC, ETIMEDOUT, 1, constant, {0}}, /* cannot be moved: ends when it did */
};

static int64_t ns(const struct timespec *t)
{
	return t->tv_sec * 1000000000LL + t->tv_nsec;
}

static void *waiter(void *arg)
{
	struct wait *w = arg;
	int got;

	if (w->until == until_cond || w->until == until_cond_date)
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	atomic_fetch_add(&asleep, 1);
	got = w->until(w->end);
	if (w->until == until_cond || w->until == until_cond_date)
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(got, w->want);
	CHECK(now_ns(w->clock) >= ns(w->end));
	return NULL;
}

/* Until the end of time. */
static void *for_ever(void *arg)
{
	static struct timespec end = {INT64_MAX, 999999999};

	atomic_fetch_add(&asleep, 1);
	FAIL("the end of time has come: %d", until_sem(&end));
	return arg;
}

static void look(const struct wait *w, int number, int restored)
{
	int64_t now = now_ns(w->clock), left = ns(w->end) - now, moved = ns(w->end) - ns(&w->was);

	if (w->stays || !restored)
		CHECK_EQ(moved, 0);
	else if (moved <= 0)
		FAIL("deadline %d is where it was", number);
	if (restored && !w->stays && (left <= 0 || left > MS * 1000000LL))
		FAIL("deadline %d has %lld us to go", number, (long long)(left / 1000));
}

int main(void)
{
	pthread_t thread[N + 1];
	pthread_condattr_t attr;
	struct timespec own[N];
	int restored;

	CHECK_EQ(pthread_condattr_init(&attr), 0);
	CHECK_EQ(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
	CHECK_EQ(pthread_cond_init(&never_mono, &attr), 0);
	CHECK_EQ(sem_init(&closed, 0, 0), 0);
	for (int i = 0; i < N; i++) {
		struct wait *w = &waits[i];
		int64_t until = now_ns(w->clock) + MS * 1000000LL;

		w->end = w->end ? w->end : &own[i];
		*w->end = (struct timespec){until / 1000000000, until % 1000000000};
	}
	CHECK_EQ(mprotect(constant, sizeof(constant), PROT_READ), 0);
	for (int i = 0; i < N; i++) {
		waits[i].was = *waits[i].end;
		CHECK_EQ(pthread_create(&thread[i], NULL, waiter, &waits[i]), 0);
	}
	CHECK_EQ(pthread_create(&thread[N], NULL, for_ever, NULL), 0);
	CHECK(reached(&asleep, N + 1));
	sleep_ms(20);
	restored = hook() == WARM_RESTORED;
	for (int i = 0; i < N; i++)
		look(&waits[i], i, restored);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
