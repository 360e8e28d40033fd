/* SPDX-License-Identifier: MIT */
/*
 * What a message is about: a launch, the hook, or a verb.
 */
#ifndef WARM_WARMD_DISPATCH_H
#define WARM_WARMD_DISPATCH_H

#include <stddef.h>

struct client;

/* Takes the descriptors. The client may be gone on return. */
void dispatch(struct client *client, const void *msg, size_t len, const int *fds, size_t n_fds);

#endif
