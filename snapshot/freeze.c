/* SPDX-License-Identifier: MIT */
/* Every thread stopped, and let go again. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "snapshot/subject.h"

struct round {
	struct subject *s;
	struct err *err;
	size_t n_before, n_new;
};

static int seize_new(void *arg, pid_t tid)
{
	struct round *round = arg;
	struct subject *s = round->s;
	struct tracee t = {.tid = tid};
	int r;

	for (size_t i = 0; i < s->n_threads; i++)
		if (s->thread[i].tid == tid)
			return 0;
	r = tracee_seize(tid, round->err);
	if (r == -ESRCH && tid == s->pid) /* it stays in the list as long as others run */
		return err_set(round->err, ESRCH, "process %d: its main thread has ended", s->pid);
	round->n_new++;
	if (r == -ESRCH)
		return 0; /* it ended while we were looking */
	if (r < 0)
		return r;
	if (grow(&s->thread, &s->n_threads, sizeof(t), &t) < 0)
		return err_sys(round->err, ENOMEM, "threads");
	return 0;
}

static void forget(struct subject *s, size_t i)
{
	memmove(&s->thread[i], &s->thread[i + 1], (s->n_threads - i - 1) * sizeof(s->thread[0]));
	s->n_threads--;
}

/* A thread that is not stopped yet may still make new ones: rounds, until a whole one finds nobody new. */
int freeze(struct subject *s, struct err *err)
{
	struct round round = {.s = s, .err = err};
	int r;

	do {
		round.n_before = s->n_threads;
		round.n_new = 0;
		r = proc_each_thread(s->proc_fd, seize_new, &round);
		if (r < 0)
			return err->code ? r : err_sys(err, -r, "threads of process %d", s->pid);
		for (size_t i = round.n_before; i < s->n_threads; i++) {
			r = tracee_wait_stopped(&s->thread[i], err);
			if (r == -ESRCH && s->thread[i].tid != s->pid)
				forget(s, i--);
			else if (r == -ESRCH)
				return err_set(err, ESRCH, "process %d ended while it was being frozen", s->pid);
			else if (r < 0)
				return r;
		}
	} while (round.n_new);
	if (s->n_threads == 0 || s->thread[0].tid != s->pid)
		return err_set(err, ESRCH, "process %d: its main thread has ended", s->pid);
	return 0;
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
