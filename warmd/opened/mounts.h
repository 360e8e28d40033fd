/* SPDX-License-Identifier: MIT */
/* The mount table, /proc/PID/mountinfo: the mounts whose files are somebody's work. proc(5) */
#ifndef WARM_OPENED_MOUNTS_H
#define WARM_OPENED_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct mount_line {
	uint64_t id;
	const char *device; /* "8:1": of the file system */
	const char *root;   /* what of the file system is mounted: "/" is all of it */
	const char *path;   /* where */
	const char *type;
};

/* The next such mount; views of the kernel's own state (/proc, /sys, /dev and their like) are passed over. The text is
 * changed, and *ret points into it. false: there is none. */
bool mounts_next(char **text, struct mount_line *ret);

#endif
