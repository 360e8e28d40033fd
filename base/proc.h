/* SPDX-License-Identifier: MIT */
/*
 * What /proc says of one process or thread: proc(5). A descriptor of /proc/PID (proc_open) keeps meaning the same
 * process: when it has ended, reads fail with ESRCH and never show a successor of the same number.
 * dir_fd may also be a descriptor of /proc/PID/task/TID. All return 0 or -errno.
 */
#ifndef WARM_BASE_PROC_H
#define WARM_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_NSPID_MAX 33 /* 32 levels of pid namespaces, and the outermost */

struct proc_status {
	char name[64];
	char state; /* 'R', 'S', 'T', 't', 'Z', ... */
	pid_t tgid, pid, ppid, tracer;
	uint32_t uid[4], gid[4]; /* real, effective, saved, filesystem */
	uint32_t *groups;        /* malloc'ed */
	size_t n_groups;
	pid_t nspid[PROC_NSPID_MAX]; /* the last one is what the process itself sees */
	size_t n_nspid;
	uint32_t umask;
	uint32_t threads;
	uint64_t rss_bytes;
	uint64_t anon_bytes; /* of them and of what is swapped: private, and no file's */
	uint64_t sig_pending, shared_pending, sig_blocked, sig_ignored, sig_caught; /* bit n-1 is signal n */
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	bool no_new_privs;
	int seccomp;         /* 0 none, 1 strict, 2 filter */
	int seccomp_filters; /* how many */
	uint64_t waits;      /* how often this thread has waited for something; of a process: its main thread */
};

struct proc_stat {
	char state;
	pid_t ppid, pgrp, session;
	int tty_nr;
	pid_t tpgid;
	int nice;
	uint32_t flags; /* PF_* of the kernel */
	uint32_t threads;
	uint64_t child_faults; /* minor faults of children that it has waited for, and theirs: 0 means no children */
	uint64_t starttime;    /* clock ticks since boot: with the pid, the identity of a process */
	uint64_t start_code, end_code, start_stack;
	uint64_t start_data, end_data, start_brk, arg_start, arg_end, env_start,
	        env_end; /* zeroes without ptrace rights */
	int exit_code;
};

int proc_open(pid_t pid); /* a descriptor, or -errno (-ESRCH: no such process) */

int proc_status_read(int dir_fd, struct proc_status *status);
void proc_status_fini(struct proc_status *status);
int proc_stat_read(int dir_fd, struct proc_stat *stat);

/* The inode of namespace `name`: "mnt", "net", "user", ... */
int proc_ns(int dir_fd, const char *name, uint64_t *ret_ino);

/* The text of a link: "exe", "cwd", "root", "fd/3". -ENAMETOOLONG where it does not fit. */
int proc_link(int dir_fd, const char *name, char *buf, size_t size);

/* write(2) calls that it has made so far. -EPROTO: that is not to be known, or no more. */
int proc_n_writes(int dir_fd, uint64_t *ret);

/* Hands each thread id to fn; a value other than 0 from fn ends the walk and is returned. */
int proc_each_thread(int dir_fd, int (*fn)(void *arg, pid_t tid), void *arg);

/* The same for descriptor numbers. */
int proc_each_fd(int dir_fd, int (*fn)(void *arg, int fd), void *arg);

/* For tests: what the readers above do once they have the text. */
int proc_status_parse(const char *text, struct proc_status *status);
int proc_stat_parse(const char *text, struct proc_stat *stat);

#endif
