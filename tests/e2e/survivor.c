/* SPDX-License-Identifier: MIT */
/*
 * A program that watches itself while snapshots are taken of it, finished or not: threads in every kind of wait and in
 * the middle of computations, each of which knows what it should see. Prints "up", then answers each line on standard
 * input with "fine N" (N: rounds that its threads have made) once every thread has shown that it lives; what goes wrong
 * ends it with a line that says what.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/victims/victim.h"

enum { COMPUTE, BLOCKED, PING, PONG, PAUSED, ON_ALTSTACK, CALLER, MAPPER, N_THREADS };

static atomic_ulong rounds[N_THREADS];
static atomic_int to_pong, to_ping, signals, paused_ready;
static int request[2], answer[2], nested[2];
static pthread_t thread[N_THREADS];

/* It has no children, and hears of none: neither of a fork of which it knows nothing. */
static void on_child(int sig)
{
	(void)sig;
	FAIL("a SIGCHLD");
}

static void no_child_was_here(void)
{
	struct sigaction now;

	CHECK(sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == on_child && now.sa_flags & SA_NODEFER &&
	      sigismember(&now.sa_mask, SIGUSR1) == 1 && sigismember(&now.sa_mask, SIGUSR2) == 0);
	CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
}

static void *computes(void *arg)
{
	uint16_t x87 = 0x0e7f, x87_now; /* round toward zero, single precision */
	uint32_t sse = 0x7f80, sse_now; /* round toward zero */
	double expected = 0;

	__asm__ volatile("fldcw %0; ldmxcsr %1" : : "m"(x87), "m"(sse));
	for (unsigned long n = 0;; n++) {
		uint64_t a = 0x9e3779b97f4a7c15u, b = ~a, c = 7, d = 11;
		double sum = 0, x = 1.1, y = 3.7;

		/* Sums that live in registers for some hundred thousand instructions. */
		for (int i = 0; i < 20000; i++) {
			a = (a ^ b) * 3 + c;
			b = (b << 7 | b >> 57) + d;
			c += a >> 60;
			d ^= b >> 50;
			x = x * 1.0000001 + y / 3.0;
			y = y * 0.9999999 + 1.0 / x;
			sum += x - y;
		}
		sum += (double)(a ^ b ^ c ^ d);
		if (n == 0)
			expected = sum;
		if (memcmp(&sum, &expected, sizeof(sum)) != 0)
			FAIL("a sum is %a, was %a", sum, expected);
		__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(x87_now), "=m"(sse_now));
		if (x87_now != x87 || (sse_now & ~0x3fu) != sse)
			FAIL("rounding is %#x %#x, was %#x %#x", x87_now, sse_now, x87, sse);
		atomic_fetch_add(&rounds[COMPUTE], 1);
	}
	return arg;
}

static void *is_blocked(void *arg)
{
	char c;

	for (;;) {
		CHECK_EQ(read(request[0], &c, 1), 1);
		CHECK_EQ(write(answer[1], &c, 1), 1);
		atomic_fetch_add(&rounds[BLOCKED], 1);
	}
	return arg;
}

static void futex_turn(atomic_int *mine, atomic_int *other, unsigned long n, int me)
{
	while (atomic_load(mine) != (int)n)
		if (syscall(SYS_futex, mine, FUTEX_WAIT, (int)n - 1, NULL, NULL, 0) < 0 && errno != EAGAIN &&
		    errno != EINTR)
			FAIL("futex wait: %s", strerror(errno));
	CHECK_EQ(atomic_load(mine), (int)n);
	atomic_store(other, me == PING ? (int)n + 1 : (int)n);
	CHECK(syscall(SYS_futex, other, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0);
	atomic_fetch_add(&rounds[me], 1);
}

static void *pings(void *arg)
{
	for (unsigned long n = 1;; n++)
		futex_turn(&to_ping, &to_pong, n, PING);
	return arg;
}

static void *pongs(void *arg)
{
	for (unsigned long n = 2;; n++)
		futex_turn(&to_pong, &to_ping, n, PONG);
	return arg;
}

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&signals, 1);
}

/* pause(2) ends when a handler has run, and never else. */
static void *pauses(void *arg)
{
	sigset_t none, usr1;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	atomic_store(&paused_ready, 1);
	for (int n = 1;; n++) {
		sigset_t now;

		CHECK(sigsuspend(&none) == -1 && errno == EINTR);
		if (atomic_load(&signals) != n)
			FAIL("a pause ended after %d signals, not %d", atomic_load(&signals), n);
		pthread_sigmask(SIG_BLOCK, NULL, &now);
		CHECK(sigismember(&now, SIGUSR1));
		atomic_fetch_add(&rounds[PAUSED], 1);
	}
	return arg;
}

/* In a handler, on an alternate stack that is a piece of the thread's own, with frames in use below it. */
static void on_altstack(int sig)
{
	uint64_t mine[64];
	char c;

	(void)sig;
	fill(mine, sizeof(mine), 5);
	for (;;) {
		CHECK_EQ(read(nested[0], &c, 1), 1);
		CHECK(filled(mine, sizeof(mine), 5));
		CHECK_EQ(write(answer[1], &c, 1), 1);
		atomic_fetch_add(&rounds[ON_ALTSTACK], 1);
	}
}

static __attribute__((noinline)) void deeper(uint64_t *above)
{
	uint64_t frame[4096];

	fill(frame, sizeof(frame), 6);
	raise(SIGUSR2);
	CHECK(filled(frame, sizeof(frame), 6) && above[0]);
}

static void *lives_on_altstack(void *arg)
{
	uint64_t buffer[4096];
	stack_t stack = {.ss_sp = buffer, .ss_size = sizeof(buffer)};

	CHECK_EQ(sigaltstack(&stack, NULL), 0);
	deeper(buffer);
	return arg;
}

static void *calls(void *arg)
{
	pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);

	for (;;) {
		struct timespec brief = {0, 100000};

		CHECK_EQ(syscall(SYS_getpid), pid);
		CHECK_EQ(syscall(SYS_gettid), tid);
		CHECK_EQ(syscall(SYS_getppid), getppid());
		if (nanosleep(&brief, &brief) < 0)
			CHECK_EQ(errno, EINTR);
		atomic_fetch_add(&rounds[CALLER], 1);
	}
	return arg;
}

static void *maps(void *arg)
{
	for (unsigned long n = 0;; n++) {
		uint64_t *page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(page != MAP_FAILED);
		fill(page, 4096, n);
		sched_yield();
		CHECK(filled(page, 4096, n) && is_zero((char *)page + 4096, 61440));
		CHECK_EQ(munmap(page, 65536), 0);
		atomic_fetch_add(&rounds[MAPPER], 1);
	}
	return arg;
}

static void prove(int which, unsigned long before)
{
	for (int i = 0; i < 10000; i++) {
		if (atomic_load(&rounds[which]) > before)
			return;
		sleep_ms(1);
	}
	FAIL("thread %d does not go on", which);
}

int main(void)
{
	static void *(*const work[N_THREADS])(void *) = {computes, is_blocked,        pings, pongs,
	                                                 pauses,   lives_on_altstack, calls, maps};
	struct sigaction counts = {.sa_handler = on_signal},
	                 stays = {.sa_handler = on_altstack, .sa_flags = SA_ONSTACK};
	struct sigaction hears = {.sa_handler = on_child, .sa_flags = SA_NODEFER};
	char line[64], c;

	sigaddset(&hears.sa_mask, SIGUSR1);
	CHECK_EQ(sigaction(SIGCHLD, &hears, NULL), 0);
	CHECK(pipe2(request, O_CLOEXEC) == 0 && pipe2(answer, O_CLOEXEC) == 0 && pipe2(nested, O_CLOEXEC) == 0);
	CHECK(sigaction(SIGUSR1, &counts, NULL) == 0 && sigaction(SIGUSR2, &stays, NULL) == 0);
	for (int i = 0; i < N_THREADS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, work[i], NULL), 0);
	CHECK(reached(&paused_ready, 1));
	atomic_store(&to_ping, 1);
	syscall(SYS_futex, &to_ping, FUTEX_WAKE, 1, NULL, NULL, 0);
	printf("up\n");
	fflush(stdout);
	while (read(0, line, sizeof(line)) > 0) {
		unsigned long before[N_THREADS], total = 0;

		no_child_was_here();
		for (int i = 0; i < N_THREADS; i++)
			before[i] = atomic_load(&rounds[i]);
		pthread_kill(thread[PAUSED], SIGUSR1);
		CHECK(write(request[1], "x", 1) == 1 && read(answer[0], &c, 1) == 1);
		CHECK(write(nested[1], "y", 1) == 1 && read(answer[0], &c, 1) == 1);
		for (int i = 0; i < N_THREADS; i++)
			prove(i, before[i]);
		for (int i = 0; i < N_THREADS; i++)
			total += atomic_load(&rounds[i]);
		printf("fine %lu\n", total);
		fflush(stdout);
	}
	_exit(0);
}
