/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of every file that is opened, read or written on this machine: one fanotify(7) group. It names
 * files by handles (FAN_REPORT_DFID_NAME), so that looking on opens nothing, wakes nobody at a FIFO and keeps no file
 * system from being unmounted. It is switched on only while somebody has to be watched.
 *
 * Not seen: /proc, /sys, /dev and their like, and file systems that have no handles (FUSE, some network and layered
 * ones).
 */
#ifndef WARM_OPENED_SIGHT_H
#define WARM_OPENED_SIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/digest.h"

struct err;
struct sight;

/* One event, valid while it is handed out. */
struct seen {
	pid_t pid;     /* of the process, whichever thread it was */
	uint64_t mask; /* FAN_* */
	struct digest object;
	const void *where; /* the record that names it, for sight_path() */
};

enum { SIGHT_OVERFLOW = 1 };

int sight_new(struct sight **ret, struct err *err);
void sight_free(struct sight *sight);

int sight_fd(const struct sight *sight);        /* readable: there are events */
int sight_mounts_fd(const struct sight *sight); /* POLLPRI: the mount table has changed */
void sight_mounts_changed(struct sight *sight); /* ... and is read again by the next sight_on() */

/* Watches every file system of the mount table; may be called again. Fails where the root file system cannot be
 * watched. blind: gets the first mount that cannot be, or "" where there is none, or no news. */
int sight_on(struct sight *sight, char *blind, size_t size, struct err *err);
void sight_off(struct sight *sight);

/* Hands out the events that wait, at most `max`. Returns 0 once there are none, SIGHT_OVERFLOW where some were lost,
 * -EAGAIN where more wait, or -errno. */
int sight_read(struct sight *sight, unsigned max, void (*fn)(void *arg, const struct seen *seen), void *arg);

/* The name by which it was opened, as it is now. -ENOENT: its directory is gone. */
int sight_path(const struct sight *sight, const void *where, char *path, size_t size);

/* The object that has this name now. -ENOENT: there is none. */
int sight_object(const char *path, struct digest *ret);

#endif
