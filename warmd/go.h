/* SPDX-License-Identifier: MIT */
/*
 * The messages that turn a standby into a launch: to its supervisor, to the application, and the hook's answer.
 */
#ifndef WARM_WARMD_GO_H
#define WARM_WARMD_GO_H

#include <stdint.h>

struct entry;
struct err;
struct launch_traits;
struct request;
struct standby;

/* Whether the launch can be put into this snapshot at all: its descriptors find their places. 0 or -errno. */
int go_check(const struct entry *entry, const struct request *request, struct err *err);

int go_supervisor(const struct standby *standby, const struct request *request, struct err *err);
int go_application(const struct standby *standby, const struct entry *entry, const struct request *request,
                   const struct launch_traits *traits, uint64_t generation, struct err *err);

#endif
