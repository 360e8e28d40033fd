/* SPDX-License-Identifier: MIT */
/* How much more memory a process may have before somebody is ended for it. */
#ifndef WARM_SNAPSHOT_HEADROOM_H
#define WARM_SNAPSHOT_HEADROOM_H

#include <stdint.h>

struct subject;

/* Bytes: what the machine has left, and each limit of a cgroup that the process is in, as far as they are seen here. */
uint64_t memory_left(const struct subject *s);

#endif
