/* SPDX-License-Identifier: MIT */
/*
 * `warm snapshot PID`: a process that `warm exec` did not start, as if it had. Under which conditions it was launched
 * is what /proc says of it now.
 */
#ifndef WARM_WARMD_PROCESS_H
#define WARM_WARMD_PROCESS_H

#include "proto/rpc.pb-c.h"

struct client;

/* Root may ask for any process, others for their own. Answers the client, which may be gone on return. */
void process_snapshot(struct client *client, const Warm__Rpc__Take *take);

#endif
