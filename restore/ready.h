/* SPDX-License-Identifier: MIT */
/*
 * What a loader does ahead of the image that it will get: all memory that it needs for any image has been touched, and
 * is where it will be used. In a guest whose hypervisor shadows page tables the first touch of a page costs 10 to 40
 * us, which was half of a start of Django from disk.
 */
#ifndef WARM_RESTORE_READY_H
#define WARM_RESTORE_READY_H

#include <stddef.h>

#include "restore/plan.h"

#define READY_ARENA (1u << 20) /* of the arena: code, plan, stack of most images */

/* Code and libraries of this process, malloc's memory, an arena and a block's buffer at place->ready. What cannot be
 * had is made when it is needed. */
void ready_make(struct place *place);

#endif
