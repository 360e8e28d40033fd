/* SPDX-License-Identifier: MIT */
/* A parked clone, let on just as far as it is the restorer that runs: each thread is held behind the rt_sigreturn(2) by
 * which it becomes the application's. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "snapshot/tracee.h"

#define BECOME_LIMIT_S 10
#define SIGSET_BYTES   8

enum progress { RUNS, RETURNS, IS_THERE }; /* RETURNS: inside rt_sigreturn */

int tracee_find_area(const struct tracee *t, uint64_t *ret_start, uint64_t *ret_end, struct err *err)
{
	CLEAN(fd) int dir = proc_open(t->tid);
	CLEAN(free) char *maps = NULL;
	char *save = NULL;
	int r = dir < 0 ? dir : fd_read_file_at(dir, "maps", 64u << 20, &maps, NULL);

	if (r < 0)
		return err_sys(err, -r, "areas of the clone");
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && t->raw.rip >= start && t->raw.rip < end) {
			*ret_start = start;
			*ret_end = end;
			return 0;
		}
	}
	return err_set(err, EPROTO, "thread %d runs where there is no memory", t->tid);
}

/* What a stopped thread is at, and on it goes. Returns 1 when it is there. */
static int step(struct tracee *t, enum progress *progress, int status)
{
	struct __ptrace_syscall_info info = {0};
	int sig = 0;

	if (status >> 16 == 0 && WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) < 0)
			return -errno;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			*progress = info.entry.nr == SYS_rt_sigreturn ? RETURNS : RUNS;
		else if (*progress == RETURNS)
			*progress = IS_THERE;
		if (*progress == IS_THERE)
			return 1;
	} else if (status >> 16 == 0) {
		sig = WSTOPSIG(status);
	}
	return ptrace(PTRACE_SYSCALL, t->tid, 0, sig) < 0 ? -errno : 0;
}

static int read_state(struct tracee *t, struct err *err)
{
	if (ptrace(PTRACE_GETREGS, t->tid, 0, &t->raw) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, t->tid, SIGSET_BYTES, &t->sigmask) < 0)
		return err_sys(err, errno, "read registers of thread %d", t->tid);
	t->raw.orig_rax = (unsigned long long)-1;
	t->regs = t->raw;
	return 0;
}

/* The next stop of any of them. SIGCHLD is blocked. */
static pid_t next_stop(int *status, const struct timespec *limit)
{
	const struct timespec tick = {0, 20000000};
	struct timespec now;
	sigset_t child;
	pid_t got;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while ((got = waitpid(-1, status, __WALL | WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > limit->tv_sec)
			return -ETIMEDOUT;
		sigtimedwait(&child, NULL, &tick);
	}
	return got < 0 ? -errno : got;
}

static int run(struct tracee *t, size_t n, enum progress *progress, size_t left, struct err *err)
{
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += BECOME_LIMIT_S;
	while (left) {
		int status, r;
		pid_t tid = next_stop(&status, &limit);
		size_t i = 0;

		if (tid < 0)
			return err_sys(err, -tid, "wait for the clone");
		while (i < n && t[i].tid != tid)
			i++;
		if (i == n)
			continue;
		if (!WIFSTOPPED(status))
			return err_set(err, EUCLEAN, "the clone ended on its way");
		r = step(&t[i], &progress[i], status);
		if (r < 0)
			return err_sys(err, -r, "follow thread %d of the clone", tid);
		left -= (size_t)r;
		if (r && (r = read_state(&t[i], err)) < 0)
			return r;
	}
	return 0;
}

int tracees_become(struct tracee *t, size_t n, uint64_t arena, uint64_t arena_end,
                   int (*go)(void *arg, struct err *err), void *arg, struct err *err)
{
	CLEAN(free) enum progress *progress = calloc(n, sizeof(*progress));
	size_t left = 0;
	int r;

	if (!progress)
		return err_sys(err, ENOMEM, "threads");
	for (size_t i = 0; i < n; i++) {
		if (ptrace(PTRACE_SETOPTIONS, t[i].tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
			return err_sys(err, errno, "hold thread %d of the clone", t[i].tid);
		if (t[i].raw.rip < arena || t[i].raw.rip >= arena_end) {
			progress[i] = IS_THERE; /* in an untimed futex wait of its own */
			continue;
		}
		if (ptrace(PTRACE_SYSCALL, t[i].tid, 0, 0) < 0)
			return err_sys(err, errno, "follow thread %d of the clone", t[i].tid);
		left++;
	}
	r = go(arg, err);
	return r < 0 ? r : run(t, n, progress, left, err);
}
