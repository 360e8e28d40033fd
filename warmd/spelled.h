/* SPDX-License-Identifier: MIT */
/*
 * A program opens files by names that its launch gave it (policy/names.h); a recording knows them by where these led
 * to. Where a symbolic link is on the way, the name itself counts, too: the link may be made to lead elsewhere.
 */
#ifndef WARM_WARMD_SPELLED_H
#define WARM_WARMD_SPELLED_H

#include <stdint.h>
#include "proto/rpc.pb-c.h"

struct err;

/* path: absolute, as it was spelled; real: where it leads to, the same where no link is on the way. Not 0 ends the
 * walk, and is returned. */
typedef int spelled_fn(void *arg, const char *path, const char *real);

/*
 * Each name of the key that leads to something; of one that leads to nothing the directory, for it may be the beginning
 * of names. A link on the way that is newer than since_ns (CLOCK_REALTIME) is an error with its reason: nobody knows
 * what was behind it. ignored_env: as key_ignored_env. 0 or -errno.
 */
int spelled_each(const Warm__Rpc__Conditions *conditions, const char *const *ignored_env, int64_t since_ns,
                 spelled_fn *fn, void *arg, struct err *err);

#endif
