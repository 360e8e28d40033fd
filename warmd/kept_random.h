/* SPDX-License-Identifier: MIT */
#ifndef WARM_WARMD_KEPT_RANDOM_H
#define WARM_WARMD_KEPT_RANDOM_H

#include "proto/rpc.pb-c.h"

/* Which random numbers of a runtime go on from the snapshot in each copy, as nobody in the program sees to them: words
 * for who took it, as far as the files tell that it has in memory. NULL: none that we know of. */
const char *kept_random(const Warm__Rpc__Conditions *conditions);

#endif
