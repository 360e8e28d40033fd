/* SPDX-License-Identifier: MIT */
/*
 * A copy is born in warmd's control groups and belongs into its caller's: their limits are to hold for it, and they are
 * who pays for it. Its supervisor puts both there before the launch goes on; a move waits for all processors (0.3 ms to
 * 8 ms), which is why it is none of the loop's business.
 *
 * What waits in a pool is warmd's: standbys in a group of a user's would count against its limits, and keep a unit of
 * systemd's from ending.
 */
#ifndef WARM_WARMD_CGROUP_H
#define WARM_WARMD_CGROUP_H

#include <stddef.h>

#include "proto/launch.h"

struct caller;
struct err;
struct machine;

#define CGROUP_TEXT_MAX 4096 /* of /proc/PID/cgroup */

/* Folders of groups (O_PATH), one for each hierarchy in which the caller is elsewhere than warmd. */
struct cgroups {
	int fd[SUP_GROUPS_MAX];
	size_t n;
};

/* What /proc says of dir_fd's process. 0 or -errno. */
int cgroups_read(int dir_fd, char text[CGROUP_TEXT_MAX]);

/* None where the caller is where warmd is. 0 or -errno: a copy could not follow. */
int cgroups_find(const struct machine *machine, const struct caller *caller, struct cgroups *ret, struct err *err);
void cgroups_fini(struct cgroups *groups);

/* For `warm doctor`: whether processes can be moved at all, by warmd's own groups. 0 or -errno. */
int cgroups_probe(void);

#endif
