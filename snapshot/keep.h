/* SPDX-License-Identifier: MIT */
/*
 * The memory of a frozen process as it was, while it runs on: that of a fork, copy-on-write. Of the fork itself nothing
 * is left by then.
 *
 *     program      stands still     clone(2)                 runs on, and writes to copies
 *     fork                          held ── killed, reaped
 *     holder                          pread(2) of its memory ───────────────────────────────────┤ its pages are free
 *     warm-snap                                               reads the pages
 *
 * The holder is a thread of this process in the middle of a pread(2) of /proc/PID/mem. That call has the memory in use
 * until it ends, whatever becomes of the process, and it does not end before the page is there that it reads into: one
 * that userfaultfd(2) is waited for. With this process everything ends, at whatever moment.
 */
#ifndef WARM_SNAPSHOT_KEEP_H
#define WARM_SNAPSHOT_KEEP_H

struct holder;
struct subject;

struct kept {
	int mem, pagemap; /* /proc/PID/mem and pagemap of the fork */
	struct holder *holder;
};

/* Its pages are free again. For a subject without kept memory, too. */
void keep_end(struct subject *s);

#endif
