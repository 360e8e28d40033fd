/* SPDX-License-Identifier: MIT */
/*
 * The working set of a clone on its way up: the pages that it has made its own (copied from the template, or new), and
 * the pages of files that it has mapped. Looked at from outside (/proc/PID/pagemap), a few times during the first half
 * second; the clone is not stopped and sees nothing of it. Its memory is held meanwhile (snapshot/holder.h): of a
 * program that is gone at once it is all there is to see.
 */
#ifndef WARM_SNAPSHOT_TOUCHED_H
#define WARM_SNAPSHOT_TOUCHED_H

#include <stddef.h>
#include <sys/types.h>

struct err;

/* Waits on report_fd for a word (a struct report; value: when the clone was launched, ns of CLOCK_MONOTONIC); -1: it
 * runs already. Writes struct touch (proto/launch.h), ascending, at most TOUCH_MAX, to out_fd. Returns 0 once the
 * process has ended or has been looked at long enough; one that ended too early has left nothing: n is 0. */
int touched_record(pid_t pid, int report_fd, int out_fd, size_t *ret_n, struct err *err);

#endif
