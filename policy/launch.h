/* SPDX-License-Identifier: MIT */
/*
 * What a launch brings, compiled into the operations of a GO message (proto/launch.h): limits, niceness, affinity, oom
 * score, working directory and the descriptors from 3 on. Pure: the caller has read both sides from /proc.
 */
#ifndef WARM_POLICY_LAUNCH_H
#define WARM_POLICY_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include "proto/launch.h"

struct err;

#define LAUNCH_N_LIMITS 16  /* RLIMIT_CPU .. RLIMIT_RTTIME, by their numbers */
#define LAUNCH_CPUS_MAX 128 /* bytes of an affinity mask */

/* What passes from parent to child without being part of a program: of the launcher, and of the standby. */
struct launch_traits {
	struct rlimit limit[LAUNCH_N_LIMITS];
	int nice;
	int oom_score_adj;
	uint8_t cpus[LAUNCH_CPUS_MAX]; /* as sched_getaffinity(2) fills it, zeroes behind; all zero: not known, left
	                                  alone */
};

/*
 * What a program had set itself by the time of its snapshot, it keeps; the rest is the launch's. first: of the launch
 * that the snapshot comes from; own: of the program then; launch: in, what this launch brings, out, what the clone is
 * to have. A hard limit never rises above the launch's; a soft limit that the program had raised to the hard one is
 * that again.
 */
void launch_traits_settle(const struct launch_traits *first, const struct launch_traits *own,
                          struct launch_traits *launch);

/* A descriptor of the launch has a place of the snapshot's. */
#define LAUNCH_PLACES_MAX 128
struct launch_place {
	int32_t number; /* among `extra` */
	int32_t fd;     /* where the clone has it */
	bool cloexec;
	int status_flags; /* to be set: fcntl(2) F_SETFL; -1: as they are */
};

struct launch_brings {
	const struct launch_traits *launch, *standby;
	uint64_t caps;       /* effective capabilities of the clone: what it may change of these */
	const char *cwd;     /* to be entered, or NULL */
	int umask;           /* to be set, or -1 */
	const char *comm;    /* the name of its first thread, or NULL: as it is */
	const int32_t *tids; /* threads of the clone but the first, in its own numbers: affinity is each thread's; may
	                        be NULL */
	size_t n_tids;
	const int32_t
	        *extra; /* numbers >= 3 of the launch's descriptors, in the order of the slots from SLOT_EXTRA on */
	size_t n_extra;
	uint64_t no_place; /* bit i: extra[i] is not put where the launch has it, the snapshot uses that number */
	const struct launch_place *place;
	size_t n_places;
	uint64_t skip; /* held objects that the clone does not take: go_header.skip */
};

/* Builds the whole GO message in buf. Its size, or -errno (-E2BIG: too much for one message; -EPERM: the clone may not
 * set what the launch brings; the launch starts cold). n_fds of the header is SLOT_EXTRA + n_extra. */
int launch_build_go(const struct launch_brings *brings, uint8_t buf[GO_SIZE_MAX], struct err *err);

/* What one of its operations sets, by the number of its system call. */
const char *launch_words(int64_t nr);

#endif
