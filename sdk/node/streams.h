/* SPDX-License-Identifier: MIT */
/* Descriptors 0, 1, 2 as libuv, node's event loop, sees them. Main thread only. */
#ifndef WARM_SDK_NODE_STREAMS_H
#define WARM_SDK_NODE_STREAMS_H

struct uv_loop_s;

/* Which of 0, 1, 2 the program has opened as streams (process.stdin, ...): bit n for descriptor n. Merely to look at
 * process.stdout would open it. */
unsigned streams_open(struct uv_loop_s *loop);

/* Before the freeze: which of them do not block; libuv makes pipes so. */
unsigned streams_nonblocking(void);

/* In a copy: the launch's descriptors are made so too, until the program ends: others may share them. */
void streams_take(unsigned nonblocking);

#endif
