/* SPDX-License-Identifier: MIT */
/* Refuses, by name, what is no single plain process. What the collectors meet later, they refuse themselves. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/program.h"
#include "snapshot/remedies.h"
#include "snapshot/subject.h"

#define AUXV_MAX 65536

static int no_children(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->n_threads; i++) {
		CLEAN(free) char *children = NULL;
		char path[64];
		int r;

		snprintf(path, sizeof(path), "task/%d/children", s->thread[i].tid);
		r = fd_read_file_at(s->proc_fd, path, 1u << 20, &children, NULL);
		if (r < 0)
			return err_sys(err, -r, "children of process %d", s->pid);
		if (children[0])
			return err_refuse(err, "only single processes are copied, let it end before the snapshot",
			                  "process %d has a child process (%d)", s->pid, atoi(children));
	}
	return 0;
}

/* A clone gets its own pid and mount namespaces inside the daemon's others: the application must live in those, too. */
static int same_namespaces(struct subject *s, struct err *err)
{
	static const char *const names[] = {REFUSED("mnt"),  REFUSED("net"),    REFUSED("ipc"), REFUSED("uts"),
	                                    REFUSED("user"), REFUSED("cgroup"), REFUSED("time")};
	CLEAN(fd) int self = proc_open(getpid());

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t theirs = 0, ours = 0;
		int r = proc_ns(s->proc_fd, names[i], &theirs);

		if (r == 0)
			r = proc_ns(self, names[i], &ours);
		if (r < 0)
			return err_sys(err, -r, "%s namespace of process %d", names[i], s->pid);
		if (s->net_private && !strcmp(names[i], "net"))
			r = theirs != ours ? survey_network(s, err)
			                   : err_refuse(err, DO_IT_AFTER,
			                                "process %d was launched with --net private, and is on the "
			                                "daemon's network",
			                                s->pid);
		else if (theirs != ours)
			return err_refuse(err, "run a daemon there",
			                  "process %d is in another %s namespace than the daemon", s->pid, names[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Its executable made it more than its user is: what such a one has seen by now is not for whoever launches a copy. */
static int not_secure(const struct subject *s, struct err *err)
{
	CLEAN(free) uint64_t *auxv = NULL;
	size_t len = 0;
	int r = fd_read_file_at(s->proc_fd, "auxv", AUXV_MAX, (char **)&auxv, &len);

	if (r < 0)
		return err_sys(err, -r, "auxiliary vector of process %d", s->pid);
	for (size_t i = 0; i + 2 <= len / sizeof(*auxv); i += 2)
		if (auxv[i] == AT_SECURE && auxv[i + 1])
			return err_refuse(
			        err, STARTS_COLD,
			        "process %d has executed a program that has more rights than its user (set-uid, "
			        "set-gid, file capabilities)",
			        s->pid);
	return 0;
}

/* A launched program may have executed a set-uid one since, and that another one in turn. */
static int still_theirs(const struct subject *s, struct err *err)
{
	const struct launch_owner *owner = s->owner;
	char groups[DIGEST_HEX_SIZE];

	for (int i = 0; owner && i < 4; i++)
		if (s->status.uid[i] != owner->uid || s->status.gid[i] != owner->gid)
			return err_refuse(err, DO_IT_AFTER, "process %d has the rights of another user or group now",
			                  s->pid);
	if (owner && s->status.cap_permitted & ~owner->caps)
		return err_refuse(err, DO_IT_AFTER, "process %d has capabilities that it was not launched with",
		                  s->pid);
	program_groups_digest(s->status.groups, s->status.n_groups, groups);
	if (owner && strcmp(groups, owner->groups) != 0)
		return err_refuse(err, DO_IT_AFTER,
		                  "process %d has other supplementary groups than it was launched with", s->pid);
	return not_secure(s, err);
}

/* It ran while plugins were asked, and since somebody decided what its snapshot is good for. */
static int same_program(const struct subject *s, struct err *err)
{
	struct program now = {0};
	char hex[DIGEST_HEX_SIZE];
	int r = program_read(s->proc_fd, &now);

	if (r == 0)
		program_digest(&now, hex);
	program_fini(&now);
	if (r < 0)
		return err_sys(err, -r, "program of process %d", s->pid);
	if (now.exe.st_dev != s->exe_dev || now.exe.st_ino != s->exe_ino ||
	    (s->program && strcmp(hex, s->program) != 0))
		return err_refuse(err, TRY_AGAIN,
		                  "process %d has executed another program, or changed its command line, meanwhile",
		                  s->pid);
	return 0;
}

/* vfork(2) and posix_spawn(3) make a child that lives in its parent's memory until it executes a program. */
static int shares_nothing(const struct subject *s, struct err *err)
{
	static const struct {
		int what;
		const char *words;
	} shared[] = {{KCMP_VM, REFUSED("memory")},
	              {KCMP_FILES, REFUSED("descriptors")},
	              {KCMP_FS, REFUSED("working directory")}};

	for (size_t i = 0; s->status.ppid && i < sizeof(shared) / sizeof(shared[0]); i++)
		if (syscall(SYS_kcmp, s->pid, s->status.ppid, shared[i].what, 0, 0) == 0)
			return err_refuse(err, "try again when it has executed a program",
			                  "process %d shares its %s with its parent, process %d", s->pid,
			                  shared[i].words, s->status.ppid);
	return 0;
}

static int no_dispatch(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->n_threads; i++)
		if (tracee_dispatches(&s->thread[i]))
			return err_refuse(err, SWITCH_IT_OFF, "thread %d dispatches its system calls",
			                  s->thread[i].tid);
	return 0;
}

/*
 * What a process gives back at its end by SEM_UNDO, nobody tells; a semaphore tells who changed it last. Who has not
 * changed any has nothing to give back.
 */
static int no_semaphores(struct subject *s, struct err *err)
{
	CLEAN(free) char *table = NULL;
	int r = fd_read_file_at(AT_FDCWD, "/proc/sysvipc/sem", 1u << 20, &table, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(err, -r, "System V semaphores");
	for (const char *at = strchr(table, '\n'); at; at = strchr(at + 1, '\n')) {
		int set, n = 0;

		if (sscanf(at, " %*d %d %*o %d", &set, &n) != 2)
			continue;
		for (int i = 0; i < n; i++)
			if (semctl(set, i, GETPID) == s->pid)
				return err_refuse(err, DO_IT_AFTER,
				                  "process %d has changed semaphore set %d, and may give it back at "
				                  "its end (SEM_UNDO)",
				                  s->pid, set);
	}
	return 0;
}

int survey_status(struct subject *s, struct err *err)
{
	int r = proc_status_read(s->proc_fd, &s->status);

	if (r < 0)
		return err_sys(err, -r, "status of process %d", s->pid);
	s->own_pid = s->status.nspid[s->status.n_nspid - 1];
	s->image->process->pid = s->own_pid;
	return 0;
}

int survey(struct subject *s, struct err *err)
{
	int r = survey_status(s, err);

	if (r < 0)
		return r;
	if (s->own_pid == 1)
		return err_refuse(err, "give that namespace an init",
		                  "process %d is the first of its pid namespace: in a copy a supervisor is that",
		                  s->pid);
	if (s->status.seccomp)
		return err_refuse(err, DO_IT_AFTER, "process %d has a seccomp filter", s->pid);
	if ((r = same_program(s, err)) < 0 || (r = still_theirs(s, err)) < 0 || (r = no_children(s, err)) < 0 ||
	    (r = shares_nothing(s, err)) < 0 || (r = same_namespaces(s, err)) < 0 || (r = no_dispatch(s, err)) < 0 ||
	    (r = no_semaphores(s, err)) < 0)
		return r;
	s->summary->pid = s->own_pid;
	s->summary->processes = 1;
	s->summary->threads = (uint32_t)s->n_threads;
	s->summary->rss_bytes = s->status.rss_bytes;
	return 0;
}
