/* SPDX-License-Identifier: MIT */
/* POSIX timers: their ids (with gaps), clocks, values, intervals, and delivery by signal, to a thread, by a new thread.
 */
#include "victim.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static atomic_int by_signal, by_thread, by_new_thread;
static pid_t volatile delivered_to;
static int volatile bad_value;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code != SI_TIMER)
		bad_value = 1;
	if (sig == SIGRTMIN + 1) {
		bad_value |= info->si_value.sival_int != 4242;
		atomic_fetch_add(&by_signal, 1);
	} else {
		bad_value |= info->si_value.sival_ptr != (void *)&by_thread;
		delivered_to = (pid_t)syscall(SYS_gettid);
		atomic_fetch_add(&by_thread, 1);
	}
}

static void in_new_thread(union sigval value)
{
	if (value.sival_int != 99)
		bad_value = 1;
	atomic_fetch_add(&by_new_thread, 1);
}

static timer_t make(clockid_t clock, struct sigevent *event, int64_t first_ms, int64_t interval_ms)
{
	struct itimerspec t = {{interval_ms / 1000, interval_ms % 1000 * 1000000},
	                       {first_ms / 1000, first_ms % 1000 * 1000000}};
	timer_t timer;

	CHECK_EQ(timer_create(clock, event, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &t, NULL), 0);
	return timer;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigevent none = {.sigev_notify = SIGEV_NONE},
	                sig = {.sigev_notify = SIGEV_SIGNAL,
	                       .sigev_signo = SIGRTMIN + 1,
	                       .sigev_value.sival_int = 4242},
	                tid = {.sigev_notify = SIGEV_THREAD_ID,
	                       .sigev_signo = SIGRTMIN + 2,
	                       .sigev_value.sival_ptr = (void *)&by_thread},
	                thr = {.sigev_notify = SIGEV_THREAD,
	                       .sigev_notify_function = in_new_thread,
	                       .sigev_value.sival_int = 99};
	struct itimerspec seen;
	timer_t far, gap, fast, threaded, fresh, disarmed, real;
	int n;

	tid.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	sigaction(SIGRTMIN + 1, &action, NULL);
	sigaction(SIGRTMIN + 2, &action, NULL);
	far = make(CLOCK_MONOTONIC, &none, 3600000, 7000);
	gap = make(CLOCK_MONOTONIC, &none, 0, 0);
	fast = make(CLOCK_MONOTONIC, &sig, 15, 15);
	threaded = make(CLOCK_BOOTTIME, &tid, 15, 15);
	fresh = make(CLOCK_MONOTONIC, &thr, 15, 15);
	disarmed = make(CLOCK_REALTIME, &none, 0, 0);
	real = make(CLOCK_REALTIME, &none, 1800000, 0);
	CHECK_EQ(timer_delete(gap), 0);
	CHECK(reached(&by_signal, 2) && reached(&by_thread, 2) && reached(&by_new_thread, 1));
	hook();

	CHECK_EQ(timer_gettime(far, &seen), 0);
	CHECK(seen.it_interval.tv_sec == 7 && seen.it_interval.tv_nsec == 0);
	CHECK(seen.it_value.tv_sec > 3500 && seen.it_value.tv_sec <= 3600);
	CHECK_EQ(timer_gettime(real, &seen), 0);
	CHECK(seen.it_value.tv_sec > 1700 && seen.it_value.tv_sec <= 1800 && seen.it_interval.tv_sec == 0);
	CHECK_EQ(timer_gettime(disarmed, &seen), 0);
	CHECK(seen.it_value.tv_sec == 0 && seen.it_value.tv_nsec == 0);
	CHECK_EQ(timer_gettime(fast, &seen), 0);
	CHECK_EQ(seen.it_interval.tv_nsec, 15000000);
	CHECK(syscall(SYS_timer_gettime, (int)(intptr_t)gap, &seen) == -1 && errno == EINVAL);
	n = atomic_load(&by_signal);
	CHECK(reached(&by_signal, n + 3));
	n = atomic_load(&by_thread);
	CHECK(reached(&by_thread, n + 3));
	CHECK_EQ(delivered_to, syscall(SYS_gettid));
	n = atomic_load(&by_new_thread);
	CHECK(reached(&by_new_thread, n + 3));
	CHECK_EQ(bad_value, 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(timer_delete(i ? fast : threaded), 0);
	CHECK_EQ(timer_delete(fresh), 0);
	gap = make(CLOCK_MONOTONIC, &none, 10, 0); /* a new one does not collide */
	CHECK(gap != far && gap != real && gap != disarmed);
	return pass();
}
