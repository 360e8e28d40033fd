/* SPDX-License-Identifier: MIT */
#include "snapshot/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "snapshot/holder.h"
#include "snapshot/subject.h"

#define FORK_FROM   (UINT64_C(8) << 20) /* bytes: 4 MiB are copied in the time that a fork of them takes */
#define SIGCHLD_BIT (UINT64_C(1) << (SIGCHLD - 1))

/* ---- the fork ---------------------------------------------------------------------------------------------------- */

/*
 * Its parent is the program, that has no other child, and is to hear nothing of this one: no SIGCHLD, no child that
 * wait(2) finds, no time and memory that getrusage(2) counts. Of whoever ignores SIGCHLD the kernel forgets children
 * that end: so does the program as long as it has this one. (A SIGCHLD that somebody sends just then is lost where it
 * is blocked and has its default action; there are no children who would.) Should warm-snap end before that, the
 * program itself waits for its child, which ends by itself, and heeds the signal again.
 */
enum { WAIT, HEED, N_CALLS };

struct birth {
	struct call after[N_CALLS];
	uint64_t way[N_CALLS + 1];
	pid_t pid;
};

static int set_action(struct subject *s, uint64_t action, uint64_t old, struct err *err)
{
	long ret;
	int r = subject_syscall(s, &ret, SYS_rt_sigaction, SIGCHLD, action, old, 8, err);

	return r < 0 ? r : ret < 0 ? err_sys(err, (int)-ret, "action of SIGCHLD of process %d", s->pid) : 0;
}

/* *ret: of clone(2). Descriptors are the program's own, none stays open by it. */
static int give_birth(struct subject *s, struct birth *birth, long *ret, struct err *err)
{
	static const uint64_t ignore[4] = {1 /* SIG_IGN */}; /* handler, flags, restorer, mask */
	uint64_t old_action = s->scratch, ignore_action = s->scratch + sizeof(ignore);
	int r;

	birth->after[WAIT] = (struct call){SYS_wait4, (uint64_t)-1, 0, __WALL, 0};
	birth->after[HEED] = (struct call){SYS_rt_sigaction, SIGCHLD, old_action, 0, 8};
	if ((r = subject_write(s, ignore_action, ignore, sizeof(ignore), err)) < 0 ||
	    (r = set_action(s, 0, old_action, err)) < 0 ||
	    (r = subject_way(s, birth->after, N_CALLS, birth->way, err)) < 0)
		return r;
	subject_go_by(s, birth->way[HEED]);
	r = set_action(s, ignore_action, 0, err);
	if (r < 0)
		return r;
	subject_go_by(s, birth->way[WAIT]);
	return subject_fork(s, CLONE_FILES | CLONE_FS | SIGCHLD, ret, &birth->pid, err);
}

static int bury(struct subject *s, const struct birth *birth, struct err *err)
{
	if (birth->pid)
		tracee_end(birth->pid);
	subject_go_by(s, birth->way[N_CALLS]);
	return set_action(s, birth->after[HEED].b, 0, err);
}

/* What is ignored is forgotten, if it waits already. */
static bool sigchld_waits(const struct subject *s)
{
	bool waits = (s->status.sig_pending | s->status.shared_pending) & SIGCHLD_BIT;

	for (size_t i = 0; i < s->image->n_thread; i++) {
		const Warm__Image__Thread *thread = s->image->thread[i];

		for (size_t j = 0; j < thread->n_pending; j++) {
			siginfo_t info;

			memcpy(&info, thread->pending[j].data, sizeof(info));
			waits |= info.si_signo == SIGCHLD;
		}
	}
	return waits;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static int open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Returns 0, or -errno: it cannot be held. */
static int hold_fork(struct kept *kept, pid_t pid, uint64_t at)
{
	kept->mem = open_of(pid, "mem");
	kept->pagemap = open_of(pid, "pagemap");
	return kept->mem < 0 || kept->pagemap < 0 ? -errno : holder_hold(kept->holder, kept->mem, at);
}

static int say_why(struct subject *s, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Why the program stands still for longer than it might. */
static int say_why(struct subject *s, struct err *err, const char *fmt, ...)
{
	va_list args;
	char *words = NULL;
	int n;

	va_start(args, fmt);
	n = vasprintf(&words, fmt, args);
	va_end(args);
	if (n < 0)
		return err_sys(err, ENOMEM, "summary");
	s->summary->stopped_reason = words;
	return 0;
}

static int keep_by_fork(struct subject *s, struct err *err)
{
	struct kept *kept = s->kept;
	struct birth birth = {0};
	long ret = 0;
	int held, r;

	kept->holder = holder_new();
	if (!kept->holder)
		return say_why(s, err, "userfaultfd(2): %s", strerror(errno));
	r = give_birth(s, &birth, &ret, err);
	if (r < 0)
		return r;
	held = birth.pid ? hold_fork(kept, birth.pid, s->scratch) : 0;
	r = bury(s, &birth, err);
	if (r < 0)
		return r;
	if (!birth.pid)
		return say_why(s, err, "fork(2) in its name: %s", strerror((int)-ret));
	return held ? say_why(s, err, "its copy could not be held: %s", strerror(-held)) : 0;
}

int keep_memory(struct subject *s, enum snapshot_fork fork, struct err *err)
{
	uint64_t bytes = s->status.anon_bytes;
	int r;

	if (fork == FORK_NEVER || (fork == FORK_AUTO && bytes < FORK_FROM))
		return 0;
	if (!s->way.sigreturn)
		return say_why(s, err, "its libc is not known");
	if (sigchld_waits(s))
		return say_why(s, err, "a SIGCHLD waited for it");
	if (s->memory_left < bytes)
		return say_why(s, err, "it could write to more memory than it may have twice");
	s->kept = calloc(1, sizeof(*s->kept));
	if (!s->kept)
		return err_sys(err, ENOMEM, "memory of process %d", s->pid);
	s->kept->mem = s->kept->pagemap = -1;
	r = keep_by_fork(s, err);
	if (r < 0 || s->summary->stopped_reason[0])
		keep_end(s);
	return r;
}

void keep_end(struct subject *s)
{
	struct kept *kept = s->kept;

	s->kept = NULL;
	if (!kept)
		return;
	holder_free(kept->holder);
	if (kept->mem >= 0)
		close(kept->mem);
	if (kept->pagemap >= 0)
		close(kept->pagemap);
	free(kept);
}
