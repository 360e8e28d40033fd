/* SPDX-License-Identifier: MIT */
/*
 * The messages that turn a standby into a launch: to its supervisor, to the application, and the hook's answer.
 */
#ifndef WARM_WARMD_GO_H
#define WARM_WARMD_GO_H

#include <stdint.h>
#include <sys/types.h>

struct cgroups;
struct entry;
struct err;
struct launch_traits;
struct handover;
struct prewarm;
struct request;
struct standby;

/* Whether the launch can be put into this snapshot at all: its descriptors find their places. 0 or -errno. */
int go_check(const struct entry *entry, const struct request *request, const struct handover *handover,
             struct err *err);

/* claim: kept by the supervisor as long as the clone lives, or -1 (warmd/claim.h). Where there are groups, the clone is
 * in them when the supervisor has answered. */
int go_supervisor(const struct standby *standby, const struct entry *entry, const struct request *request, int claim,
                  const struct cgroups *groups, struct err *err);

/* launcher: the process that LISTEN_PID means, as the clone's own environment has to say. */
struct go_launch {
	const struct request *request;
	const struct launch_traits *traits;
	const struct handover *handover;
	const struct prewarm *prewarm;  /* where the snapshot is an interpreter's */
	const char *const *ignored_env; /* names that are never looked at */
	pid_t launcher;
	uint64_t generation;
};
int go_application(const struct standby *standby, const struct entry *entry, const struct go_launch *launch,
                   struct err *err);

#endif
