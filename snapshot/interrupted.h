/* SPDX-License-Identifier: MIT */
/*
 * System calls that a signal interrupts before a clone has made them again (signal(7), "Interruption of system calls").
 *
 * A call that a thread was stopped in starts again in a clone (tracee.c). Where a signal waits that a handler takes,
 * the kernel would have let the call end with EINTR behind the handler: so does the clone's. Else pause(2) would wait
 * for ever, and an editor would not see that its window is another one.
 */
#ifndef WARM_SNAPSHOT_INTERRUPTED_H
#define WARM_SNAPSHOT_INTERRUPTED_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/image.pb-c.h"

struct subject;

/* Behind all collectors: what each thread is to find when it runs on, in the image's registers; and whether the process
 * is to be told that its terminal is another one (Process.redraw). */
void settle_calls(struct subject *s);

/* The flags of the handler that takes a waiting signal first; false: there is none. main: the process's queue counts,
 * too. */
bool handler_comes(const Warm__Image__Process *process, const Warm__Image__Thread *thread, bool main,
                   uint64_t *ret_flags);

#endif
