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
 * The holder: snapshot/holder.h.
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
