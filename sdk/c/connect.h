/* SPDX-License-Identifier: MIT */
/* The hook's connection to warmd. */
#ifndef WARM_SDK_CONNECT_H
#define WARM_SDK_CONNECT_H

/* Connects to the daemon of this user. The descriptor is close-on-exec and out of the way (>= 100 where the limit
 * allows): a launch that brings descriptors of its own must not meet it. Sending and receiving have limits, so that a
 * daemon that hangs cannot hang the program. Returns the descriptor or -errno; one failed connect(2) where there is no
 * daemon. */
int connect_daemon(void);

#endif
