/* SPDX-License-Identifier: MIT */
/*
 * One snapshot of one process: freeze, survey, collect, write, release. The table of contents is snapshot_run().
 */
#ifndef WARM_SNAPSHOT_SNAPSHOT_H
#define WARM_SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "plugins/plugins.h"

struct err;

struct launch_fd { /* a descriptor that the program was started with; it stays the launch's as long as it is this file
	            */
	int fd;
	uint64_t dev, ino;
};

struct launch_owner { /* whose launch it was: what has other rights by now is not theirs to copy */
	uint32_t uid, gid;
	uint64_t caps;                /* permitted */
	char groups[DIGEST_HEX_SIZE]; /* supplementary: program_groups_digest() */
};

enum snapshot_fork {              /* how the pages of a process are read: snapshot/keep.h */
	             FORK_AUTO,   /* from a fork, where that is quicker */
	             FORK_ALWAYS, /* ... of whatever size it is */
	             FORK_NEVER,
};

struct snapshot_request {
	pid_t pid;
	int pidfd;           /* of the process that is meant: a number may be given to another; -1: none */
	const char *program; /* program_digest() of what is meant; NULL: whatever it executes by now */
	bool net_private;    /* launched with --net private: it has a network namespace of its own */
	bool random_kept;    /* generators of random numbers stay as they are */
	enum snapshot_fork fork;
	const char *notify;               /* its NOTIFY_SOCKET, if that is one of ours; else NULL */
	const struct launch_owner *owner; /* NULL: root's, who may copy anything */
	int hook_fd;                      /* number, in the target, of the descriptor its hook blocks on; -1: none */
	const struct launch_fd *launch_fd;
	size_t n_launch_fds;
	int meta_fd;    /* gets image.proto Image */
	int summary_fd; /* gets rpc.proto Summary */
	int pages_fd;   /* memfd: gets the stored pages, back to back */
	struct plugins_place plugins;
	/* NULL: it runs on as soon as its pages are copied. Else it stays frozen until this, called with the image
	 * complete, returns: true ends it, false lets it run on. */
	bool (*may_end)(void *arg);
};

/* Returns 0, or a negative errno with the object that stands in the way named in *err. Either way the application runs
 * on as if nothing had been, unless it was to end. on_released is called the moment it does, with the microseconds it
 * was stopped; arg is that of both callbacks. */
int snapshot_run(const struct snapshot_request *req, void (*on_released)(void *arg, uint64_t stopped_us), void *arg,
                 struct err *err);

#endif
