/* SPDX-License-Identifier: MIT */
/* Every thread stopped, and let go again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "snapshot/remedies.h"
#include "snapshot/subject.h"

#define STOP_LIMIT_NS INT64_C(1000000000)
#define ROUND_NS      INT64_C(20000000) /* tracee_news() and a look, on a busy machine */
#define LISTEN_SIGNAL SIGRTMIN
#define LISTEN_NS     20000000

struct round {
	struct subject *s;
	struct err *err;
	size_t n_before, n_new;
};

/* execve(2) by one thread ends the others, and gives that one the main thread's number. */
static int replaced(struct subject *s, struct err *err)
{
	s->vanishes = true;
	return err_refuse(err, TRY_AGAIN, "process %d ended, or executed another program, while it was being frozen",
	                  s->pid);
}

/* Such a process stays in the list of processes as long as its other threads run. */
static int headless(struct subject *s, struct err *err)
{
	s->vanishes = true;
	return err_refuse(err, "end it last, after the snapshot", "process %d: its main thread has ended", s->pid);
}

/* Any thread of theirs that has ended is heard of. In a handler: `seize` says when it may run. */
static void hear_ends(int sig, siginfo_t *info, void *context)
{
	struct subject *s = info->si_value.sival_ptr;
	int code = errno;

	(void)sig;
	(void)context;
	for (size_t i = 0; i < s->n_threads; i++)
		tracee_hear_end(&s->thread[i]);
	errno = code;
}

/*
 * ptrace(2) waits for a thread that executes a program. That one waits, beyond any signal, until we have heard of the
 * end of all others. So somebody has to listen meanwhile: a timer's handler, and at no other time.
 */
static int seize(pid_t tid, struct err *err)
{
	sigset_t listen;
	int r;

	sigemptyset(&listen);
	sigaddset(&listen, LISTEN_SIGNAL);
	sigprocmask(SIG_UNBLOCK, &listen, NULL);
	r = tracee_seize(tid, err);
	sigprocmask(SIG_BLOCK, &listen, NULL);
	return r;
}

static int start_listening(struct subject *s, timer_t *ret, struct err *err)
{
	struct sigaction action = {.sa_sigaction = hear_ends, .sa_flags = SA_SIGINFO};
	struct sigevent event = {
	        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = LISTEN_SIGNAL, .sigev_value.sival_ptr = s};
	const struct itimerspec often = {{0, LISTEN_NS}, {0, LISTEN_NS}};

	if (sigaction(LISTEN_SIGNAL, &action, NULL) < 0 || timer_create(CLOCK_MONOTONIC, &event, ret) < 0 ||
	    timer_settime(*ret, 0, &often, NULL) < 0)
		return err_sys(err, errno, "prepare to freeze process %d", s->pid);
	return 0;
}

static int seize_new(void *arg, pid_t tid)
{
	struct round *round = arg;
	struct subject *s = round->s;
	struct tracee t = {.tid = tid};
	int r;

	for (size_t i = 0; i < s->n_threads; i++)
		if (s->thread[i].tid == tid)
			return 0;
	r = seize(tid, round->err);
	if (r == -ECHILD)
		return replaced(s, round->err);
	if (r == -ESRCH && tid == s->pid)
		return headless(s, round->err);
	round->n_new++;
	if (r == -ESRCH)
		return 0; /* it ended while we were looking */
	if (r < 0)
		return r;
	if (grow(&s->thread, &s->n_threads, sizeof(t), &t) < 0)
		return err_sys(round->err, ENOMEM, "threads");
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * Until it has stopped. Where nothing is heard for a while, somebody else may have ended: a thread that executes a
 * program waits, beyond any signal, until this is known of all others. Of the time only what a round can take counts:
 * this process may have been stopped itself.
 */
static int wait_for(struct subject *s, struct tracee *t, struct err *err)
{
	int64_t left = STOP_LIMIT_NS, before = now_ns();
	int r;

	while ((r = tracee_look(t, err)) == 0) {
		bool news = tracee_news();
		int64_t now;

		for (size_t i = 0; !news && i < s->n_threads; i++)
			tracee_hear_end(&s->thread[i]);
		now = now_ns();
		left -= now - before < ROUND_NS ? now - before : ROUND_NS;
		before = now;
		if (left < 0)
			return err_refuse(err, "try again when it has what it waits for",
			                  "thread %d cannot be stopped: it waits for what cannot be interrupted",
			                  t->tid);
	}
	return r == -ECHILD ? replaced(s, err) : r < 0 ? r : 0;
}

/* Its number may have been given to somebody else between our look at the list and ptrace(2). */
static bool is_ours(const struct subject *s, const struct tracee *t)
{
	char path[32];

	snprintf(path, sizeof(path), "task/%d", t->tid);
	return faccessat(s->proc_fd, path, F_OK, 0) == 0;
}

static void forget(struct subject *s, size_t i)
{
	memmove(&s->thread[i], &s->thread[i + 1], (s->n_threads - i - 1) * sizeof(s->thread[0]));
	s->n_threads--;
}

/* Those that have ended by themselves are no part of it, nor are strangers. */
static int sort_out(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->n_threads; i++) {
		struct tracee *t = &s->thread[i];

		if (t->gone && (t->stopped || t->tid == s->pid))
			return replaced(s, err);
		if (!t->gone && !is_ours(s, t))
			tracee_release(t);
		else if (!t->gone)
			continue;
		forget(s, i--);
	}
	return 0;
}

/* A thread that is not stopped yet may still make new ones: rounds, until a whole one finds nobody new. */
static int stop_all(struct subject *s, struct err *err)
{
	struct round round = {.s = s, .err = err};
	int r;

	do {
		round.n_before = s->n_threads;
		round.n_new = 0;
		r = proc_each_thread(s->proc_fd, seize_new, &round);
		if (r < 0)
			return err->code ? r : err_sys(err, -r, "threads of process %d", s->pid);
		for (size_t i = round.n_before; i < s->n_threads; i++)
			if ((r = wait_for(s, &s->thread[i], err)) < 0)
				return r;
		if ((r = sort_out(s, err)) < 0)
			return r;
	} while (round.n_new);
	if (s->n_threads == 0 || s->thread[0].tid != s->pid)
		return headless(s, err);
	return 0;
}

int freeze(struct subject *s, struct err *err)
{
	timer_t timer;
	int r = start_listening(s, &timer, err);

	if (r < 0)
		return r;
	r = stop_all(s, err);
	timer_delete(timer);
	return r;
}

/* A killed thread that is traced is gone only when its tracer has heard of it; the main thread is the last. */
void end(struct subject *s)
{
	syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
	for (size_t i = s->n_threads; i-- > 0;)
		while (waitpid(s->thread[i].tid, NULL, __WALL) > 0 || errno == EINTR)
			;
	s->n_threads = 0;
}

void release(struct subject *s)
{
	give_back(s);
	for (size_t i = 0; i < s->n_threads; i++)
		tracee_release(&s->thread[i]);
	s->n_threads = 0;
}
