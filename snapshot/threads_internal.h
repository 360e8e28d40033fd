/* SPDX-License-Identifier: MIT */
/* Private to snapshot/collect_thread*.c. */
#ifndef WARM_SNAPSHOT_THREADS_INTERNAL_H
#define WARM_SNAPSHOT_THREADS_INTERNAL_H

#include "snapshot/subject.h"

/* `status`: the text of the thread's /proc/TID/status. The main thread comes first. */
int take_thread_settings(struct subject *s, Warm__Image__Thread *thread, pid_t tid, const char *status,
                         struct err *err);

/* Refuses a thread other than the main one that has credentials, descriptors or a directory of its own. */
int same_credentials(const struct subject *s, const struct proc_status *one, pid_t tid, struct err *err);

#endif
