/* SPDX-License-Identifier: MIT */
/* Signals that wait to be delivered (signal(7), "pending"). */
#ifndef WARM_SNAPSHOT_PENDING_H
#define WARM_SNAPSHOT_PENDING_H

#include "snapshot/subject.h"

/*
 * Appends them to a repeated field of the image, which owns them then: siginfo_t each, in the kernel's order. shared:
 * the process's queue, else the thread's own. -EAGAIN where one was sent by somebody else, blocked or not: it is meant
 * for this process, and a copy that got it, too, would end when the original was told to. (image->thread[0] is known
 * already.)
 */
int pending_take(struct subject *s, const struct tracee *t, bool shared, ProtobufCBinaryData **field, size_t *n,
                 struct err *err);

#endif
