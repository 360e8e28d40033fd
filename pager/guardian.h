/* SPDX-License-Identifier: MIT */
/*
 * The guardian: a second process, which does nothing as long as the first one serves.
 *
 * When the last descriptor of a userfaultfd is closed the kernel fills what is missing with zeroes. So the two share
 * one table of descriptors (CLONE_FILES, and nothing else): whatever ends the one that serves, each userfaultfd stays
 * open, and who waits for a page waits on. The guardian then tells each supervisor that its clone has to end, takes no
 * request any more, and ends itself when none of the address spaces is left.
 *
 * It is a session of its own: a signal to the group of the first one does not reach it. Where it ends first, the first
 * one starts another.
 */
#ifndef WARM_PAGER_GUARDIAN_H
#define WARM_PAGER_GUARDIAN_H

#include <sys/types.h>

struct err;

struct guardian {
	int requests_fd, report_fd; /* as on the command line: open as long as the first process is there */
	int served_fd;              /* a pidfd of the first process */
	pid_t pid;
	int pidfd; /* of the guardian; the first process's */
};

/* Starts one; fills pid and pidfd. */
int guardian_start(struct guardian *guardian, struct err *err);

#endif
