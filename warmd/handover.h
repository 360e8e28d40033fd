/* SPDX-License-Identifier: MIT */
/*
 * Sockets that a launch hands over, as sd_listen_fds(3) has it: $LISTEN_FDS of them, from descriptor 3 on. Each takes
 * the place of the socket with the same address that the snapshot has; what the snapshot's program was itself handed
 * under a number is in each clone what its launch has there.
 */
#ifndef WARM_WARMD_HANDOVER_H
#define WARM_WARMD_HANDOVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "policy/launch.h"

struct entry;
struct err;
struct request;

struct handover {
	uint64_t skip;    /* held objects that the clone need not take: go_header.skip */
	uint64_t matched; /* bit i: the launch's descriptor fd_number[i] has taken the place of one of the snapshot's */
	struct launch_place place[LAUNCH_PLACES_MAX];
	size_t n_places;
};

/* How many sockets the environment hands over to process pid; 0 where LISTEN_PID names another one. */
unsigned handover_count(char *const *env, pid_t pid);

/* 0, or -errno with the words where a cold start would do something else with these sockets than a clone could. */
int handover_find(const struct entry *entry, const struct request *request, pid_t launcher, struct handover *ret,
                  struct err *err);

#endif
