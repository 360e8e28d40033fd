/* SPDX-License-Identifier: MIT */
/* Threads that wait for each other and for others, each in another call: locks of all kinds (priority inheriting,
 * robust, read and write), a barrier, conditions and semaphores with a date, a full pipe, a signal, several futexes,
 * calls with a signal mask for their time. Each goes on with what it waited for, and dates stay dates. */
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "victim.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define DATE_MS 150

struct waiter_v {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static pthread_mutex_t inheriting, robust, plain = PTHREAD_MUTEX_INITIALIZER, of_cond = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static int pipe_fd[2], event, epoll, pair[2];
static atomic_int waiting, word_a, word_b, handled;
static struct timespec date;
static atomic_int next = -1;
static pid_t tid_of_sigwait;

static void on_usr1(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static int date_is_past(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec > date.tv_sec || (now.tv_sec == date.tv_sec && now.tv_nsec >= date.tv_nsec);
}

static void wait_inheriting(void)
{
	CHECK_EQ(pthread_mutex_lock(&inheriting), 0);
	CHECK_EQ(pthread_mutex_unlock(&inheriting), 0);
}

static void wait_robust(void)
{
	CHECK_EQ(pthread_mutex_lock(&robust), 0);
	CHECK_EQ(pthread_mutex_unlock(&robust), 0);
}

static void wait_reader(void)
{
	CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
}

static void wait_writer(void)
{
	CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
}

static void wait_timed_lock(void)
{
	CHECK_EQ(pthread_mutex_timedlock(&plain, &date), ETIMEDOUT);
	CHECK(date_is_past());
}

static void wait_barrier(void)
{
	int r = pthread_barrier_wait(&barrier);

	CHECK(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void wait_cond(void)
{
	int r;

	CHECK_EQ(pthread_mutex_lock(&of_cond), 0);
	while ((r = pthread_cond_timedwait(&cond, &of_cond, &date)) == 0)
		; /* it may wake for nothing */
	CHECK_EQ(r, ETIMEDOUT);
	CHECK_EQ(pthread_mutex_unlock(&of_cond), 0);
	CHECK(date_is_past());
}

static void wait_sem(void)
{
	int r;

	while ((r = sem_timedwait(&sem, &date)) == -1 && errno == EINTR)
		;
	CHECK(r == -1 && errno == ETIMEDOUT && date_is_past());
}

static void wait_full_pipe(void)
{
	CHECK_EQ(write(pipe_fd[1], "last", 4), 4);
}

static void wait_full_event(void)
{
	uint64_t value = 9;

	CHECK_EQ(write(event, &value, 8), 8);
}

static void wait_signal(void)
{
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 9);
	tid_of_sigwait = (pid_t)syscall(SYS_gettid);
	while (sigwaitinfo(&set, &info) < 0)
		CHECK(errno == EINTR);
	CHECK(info.si_signo == SIGRTMIN + 9 && info.si_value.sival_int == 99);
}

static void wait_several(void)
{
	struct waiter_v several[2] = {{.address = (uint64_t)&word_a, .flags = FUTEX_PRIVATE_FLAG | 2},
	                              {.address = (uint64_t)&word_b, .flags = FUTEX_PRIVATE_FLAG | 2}};

	while (!atomic_load(&word_b))
		CHECK(syscall(SYS_futex_waitv, several, 2, 0, NULL, 0) >= 0 || errno == EINTR || errno == EAGAIN);
}

static int usr1_is_blocked(void)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	return sigismember(&mask, SIGUSR1);
}

/* SIGUSR1 is blocked but for the time of the call. */
static void wait_masked(int how)
{
	struct pollfd poll_fd = {.fd = pair[0], .events = POLLPRI};
	struct epoll_event ev;
	sigset_t others;
	fd_set set;
	int r;

	sigfillset(&others);
	sigdelset(&others, SIGUSR1);
	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	r = how == 0   ? ppoll(&poll_fd, 1, NULL, &others)
	    : how == 1 ? epoll_pwait(epoll, &ev, 1, -1, &others)
	    : how == 2 ? pselect(pair[0] + 1, NULL, NULL, &set, NULL, &others)
	               : sigsuspend(&others);
	CHECK(r == -1 && errno == EINTR);
	CHECK(usr1_is_blocked());
}

static void wait_ppoll(void)
{
	wait_masked(0);
}

static void wait_epoll(void)
{
	/* An interrupted epoll_wait(2) is not started again: it may end at once in a clone, and may not have seen the
	 * signal. */
	wait_masked(1);
}

static void wait_pselect(void)
{
	wait_masked(2);
}

static void wait_suspend(void)
{
	wait_masked(3);
}

static void (*const wait_in[])(void) = {wait_inheriting, wait_inheriting, wait_robust,     wait_reader, wait_writer,
                                        wait_timed_lock, wait_barrier,    wait_cond,       wait_sem,    wait_signal,
                                        wait_several,    wait_full_pipe,  wait_full_event, wait_ppoll,  wait_epoll,
                                        wait_pselect,    wait_suspend};
#define N      ((int)(sizeof wait_in / sizeof wait_in[0]))
#define MASKED 4 /* the last ones */

static pthread_t thread[N];

static void *waiter(void *arg)
{
	(void)arg;
	atomic_fetch_add(&waiting, 1);
	wait_in[atomic_fetch_add(&next, 1) + 1]();
	return NULL;
}

static void begin(void)
{
	pthread_mutexattr_t attr;
	uint64_t full = UINT64_MAX - 1;
	static char bytes[65536];

	CHECK_EQ(pthread_mutexattr_init(&attr), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
	CHECK_EQ(pthread_mutex_init(&inheriting, &attr), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_NONE), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutex_init(&robust, &attr), 0);
	CHECK(pthread_mutex_lock(&inheriting) == 0 && pthread_mutex_lock(&robust) == 0 &&
	      pthread_mutex_lock(&plain) == 0 && pthread_rwlock_wrlock(&rwlock) == 0);
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0 && sem_init(&sem, 0, 0) == 0);
	CHECK(pipe2(pipe_fd, O_CLOEXEC) == 0 && write(pipe_fd[1], bytes, sizeof bytes) == sizeof bytes);
	event = eventfd(0, EFD_CLOEXEC);
	CHECK_EQ(write(event, &full, 8), 8);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	clock_gettime(CLOCK_REALTIME, &date);
	date.tv_nsec += DATE_MS * 1000000L;
	date.tv_sec += date.tv_nsec / 1000000000;
	date.tv_nsec %= 1000000000;
}

static void release_all(void)
{
	static char bytes[65536];
	uint64_t value;

	CHECK(pthread_mutex_unlock(&inheriting) == 0 && pthread_mutex_unlock(&robust) == 0 &&
	      pthread_rwlock_unlock(&rwlock) == 0);
	wait_barrier();
	CHECK_EQ(read(pipe_fd[0], bytes, sizeof bytes), sizeof bytes);
	CHECK(read(pipe_fd[0], bytes, 4) == 4 && memcmp(bytes, "last", 4) == 0);
	CHECK(read(event, &value, 8) == 8 && value == UINT64_MAX - 1);
	CHECK(read(event, &value, 8) == 8 && value == 9);
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 9, (union sigval){.sival_int = 99}), 0);
	atomic_store(&word_b, 1);
	syscall(SYS_futex, &word_b, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	for (int i = N - MASKED; i < N; i++)
		if (wait_in[i] != wait_epoll)
			CHECK_EQ(pthread_kill(thread[i], SIGUSR1), 0);
		else
			pthread_kill(thread[i], SIGUSR1); /* it may have ended */
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_usr1};
	sigset_t set;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 9);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	begin();
	for (int i = 0; i < N; i++) {
		CHECK_EQ(pthread_create(&thread[i], NULL, waiter, NULL), 0);
		CHECK(reached(&waiting, i + 1) && reached(&next, i));
	}
	sleep_ms(10);
	hook();

	release_all();
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK(atomic_load(&handled) >= MASKED - 1);
	CHECK(usr1_is_blocked());
	return pass();
}
