/* SPDX-License-Identifier: MIT */
/*
 * A program as a child, made as a clone is: a supervisor (warm-init) that leads a session, and in it the program, in a
 * process group of its own, with the launch's descriptors. It is held until child_go(); until then it can be given up,
 * and nothing has happened. Each step returns NULL, or why not.
 *
 *     warm exec ── fork ──► supervisor ── fork ──► program, waits for child_go()
 *                              └─ execveat ──► warm-init: reports PARKED
 */
#ifndef WARM_CLI_CHILD_H
#define WARM_CLI_CHILD_H

#include <sys/types.h>

struct launch;

struct child {
	struct launch *launch;
	pid_t launcher;   /* this process */
	pid_t supervisor; /* 0: none yet */
	int sup_fd, hold_fd, program_fd;
	int stdout_fd; /* what its standard output is to be, or -1: what the launch has */
};

void child_init(struct child *child, struct launch *launch);
const char *child_make(struct child *child);

/* warmd hears that it is there. A warmd that does not take it on at once means a plain cold start. */
const char *child_announce(struct child *child);

/* It runs. From here on launch_follow() is what stands behind it. */
void child_go(struct child *child);
void child_abandon(struct child *child);

#endif
