/* SPDX-License-Identifier: MIT */
/* Every thread stopped; a syscall instruction and a scratch area borrowed; and everything given back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
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
	round->n_new++;
	r = tracee_seize(tid, round->err);
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

/* The vdso's own `syscall` instruction: 0f 05. */
static int find_syscall_insn(struct subject *s, struct err *err)
{
	CLEAN(free) char *maps = NULL;
	unsigned long start = 0, end = 0;
	int r = fd_read_file_at(s->proc_fd, "maps", 64u << 20, &maps, NULL);
	char *line;

	if (r < 0)
		return err_sys(err, -r, "areas of process %d", s->pid);
	line = strstr(maps, "[vdso]");
	if (!line)
		return err_set(err, ENOTSUP, "process %d has no vdso", s->pid);
	while (line > maps && line[-1] != '\n')
		line--;
	if (sscanf(line, "%lx-%lx", &start, &end) != 2 || end <= start || end - start > 65536)
		return err_set(err, EINVAL, "process %d: its vdso cannot be found", s->pid);
	CLEAN(free) unsigned char *code = malloc(end - start);
	if (!code)
		return err_sys(err, ENOMEM, "vdso");
	r = subject_read(s, start, code, end - start, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < end - start; i++)
		if (code[i] == 0x0f && code[i + 1] == 0x05) {
			s->syscall_insn = start + i;
			return 0;
		}
	return err_set(err, ENOTSUP, "process %d: no system call instruction in its vdso", s->pid);
}

/* A shared anonymous area never merges with a neighbour, so its going away restores the list of areas exactly. */
int borrow(struct subject *s, struct err *err)
{
	const uint64_t args[6] = {0, SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, (uint64_t)-1, 0};
	long ret;
	int r = find_syscall_insn(s, err);

	if (r < 0)
		return r;
	r = tracee_syscall(&s->thread[0], s->syscall_insn, &ret, SYS_mmap, args, err);
	if (r < 0)
		return r;
	if (ret < 0 && ret > -4096)
		return err_sys(err, (int)-ret, "borrow memory of process %d", s->pid);
	s->scratch = (uint64_t)ret;
	return 0;
}

void give_back(struct subject *s)
{
	struct err ignored;
	long ret;

	if (s->scratch)
		subject_syscall(s, &ret, SYS_munmap, s->scratch, SCRATCH_SIZE, 0, 0, &ignored);
	s->scratch = 0;
	for (size_t i = 0; i < s->n_threads; i++)
		tracee_settle(&s->thread[i]);
}

void release(struct subject *s)
{
	give_back(s);
	for (size_t i = 0; i < s->n_threads; i++)
		tracee_release(&s->thread[i]);
	s->n_threads = 0;
}
