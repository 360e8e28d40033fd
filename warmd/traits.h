/* SPDX-License-Identifier: MIT */
/*
 * Limits, niceness, affinity and oom score of a process (struct launch_traits): read from the kernel, and kept in a
 * record.
 */
#ifndef WARM_WARMD_TRAITS_H
#define WARM_WARMD_TRAITS_H

#include <stdbool.h>
#include <sys/types.h>
#include "policy/launch.h"
#include "proto/rpc.pb-c.h"

/* 0 or -errno. */
int traits_read(pid_t pid, struct launch_traits *traits);

/* What /proc/PID/limits says. For where prlimit(2) is refused (another uid, without CAP_SYS_RESOURCE). */
int traits_parse_limits(const char *text, struct launch_traits *traits);

/* malloc'ed, as free_unpacked() wants it. NULL: out of memory. */
Warm__Rpc__Traits *traits_message(const struct launch_traits *traits);

/* false: it is none that this version has made. */
bool traits_of_message(const Warm__Rpc__Traits *msg, struct launch_traits *ret);

#endif
