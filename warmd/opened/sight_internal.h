/* SPDX-License-Identifier: MIT */
/* What is watched (sight.c) and what that tells (look.c) share it. Private to warmd/opened/. */
#ifndef WARM_OPENED_SIGHT_INTERNAL_H
#define WARM_OPENED_SIGHT_INTERNAL_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include "warmd/opened/sight.h"

#define HANDLE_ROOM 128 /* MAX_HANDLE_SZ of the kernel */

#define NAMES (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO)

union handle {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + HANDLE_ROOM];
};

struct watched {
	uint64_t fsid;
	bool whole; /* not a part of the file system, bound somewhere */
	char *path;
};

struct sight {
	int fd;    /* events with handles */
	int by_fd; /* events with descriptors: of the root file system, where it has no handles; else -1 */
	int mounts_fd;
	bool known;            /* the mount table is what it was when the lists below were made */
	bool root_by_fd;       /* by_fd is in use ... */
	char root_device[24];  /* ... for this file system */
	struct watched *mount; /* those that are watched by handles */
	size_t n_mounts;
	struct blind *blind;
	size_t n_blind;
};

/* name: "" for fd itself. */
int handle_of_file(int fd, const char *name, union handle *ret);

#endif
