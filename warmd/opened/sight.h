/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of every file that is opened, read or written on this machine, by fanotify(7). Switched on only
 * while somebody has to be watched.
 *
 * Files are named by handles (FAN_REPORT_DFID_NAME), so that looking on opens nothing and keeps no file system from
 * being unmounted. Where the root file system cannot be watched so (overlay, FUSE, a part of btrfs), it is watched by
 * descriptors: nobody unmounts it, and of FIFOs and devices such events do not tell. They do not tell of names that
 * come and go either: those of a directory are watched from the moment that it was read.
 *
 * Not seen: /proc, /sys, /dev and their like, and other file systems that have no handles.
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
	const void *where; /* the record that names it; NULL: fd is the file, or -1 */
	int fd;
	int error; /* it cannot be told which object it was: errno */
};

/* A mount that cannot be watched. */
struct blind {
	uint64_t mount_id;
	char device[24]; /* of the file system */
	char *words;     /* "/mnt (fuse): No such device" */
};

enum { SIGHT_OVERFLOW = 1 };

int sight_new(struct sight **ret, struct err *err);
void sight_free(struct sight *sight);

/* Readable: there are events. The second one may be -1, until sight_on() has found out. */
void sight_fds(const struct sight *sight, int ret[2]);
int sight_mounts_fd(const struct sight *sight); /* POLLPRI: the mount table has changed */
void sight_mounts_changed(struct sight *sight); /* ... and is read again by the next sight_on() */

/* Watches what can be watched of the mount table; may be called again. */
int sight_on(struct sight *sight, struct err *err);
void sight_off(struct sight *sight);

/* What sight_on() found out. */
const struct blind *sight_blind(const struct sight *sight, size_t *ret_n);
bool sight_root_by_descriptors(const struct sight *sight);

/* Hands out the events that wait, at most about `max`. Returns 0 once there are none, SIGHT_OVERFLOW where some were
 * lost, -EAGAIN where more wait, or -errno. */
int sight_read(struct sight *sight, unsigned max, void (*fn)(void *arg, const struct seen *seen), void *arg);

/* The name by which it was opened, as it is now. -ENOENT: its directory is gone. */
int sight_path(const struct sight *sight, const struct seen *seen, char *path, size_t size);

/* From now on there are events about names in this directory. 1: there are anyway. */
int sight_watch_names(const struct sight *sight, const struct seen *seen);

/* The object that has this name now. -ENOENT: there is none. */
int sight_object(const char *path, struct digest *ret);

#endif
