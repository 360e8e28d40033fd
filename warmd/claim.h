/* SPDX-License-Identifier: MIT */
/*
 * Two clones never share a writing position: who has a file open for writing, and not in append mode, or mapped shared
 * for writing, has it alone. The claim is a lock on a file of ours, one byte for each such file, so that the program's
 * own locks are left alone. It lives as long as its descriptor: the clone's supervisor keeps that, and the end of the
 * clone ends the claim, whatever becomes of warmd.
 */
#ifndef WARM_WARMD_CLAIM_H
#define WARM_WARMD_CLAIM_H

#include "proto/rpc.pb-c.h"

struct daemon;
struct err;

/* *ret_fd: the claim, the caller's; -1 where the snapshot has no writing position. Fails with the name of a file that
 * another clone, or the original, has open. */
int claim_take(struct daemon *daemon, const Warm__Rpc__Record *record, int *ret_fd, struct err *err);

#endif
