/* SPDX-License-Identifier: MIT */
/* Private to restore/plan_thread*.c. */
#ifndef WARM_RESTORE_THREADS_INTERNAL_H
#define WARM_RESTORE_THREADS_INTERNAL_H

#include "restore/plan.h"

void plan_thread_settings(struct plan *p, const Warm__Image__Thread *thread);
void plan_threads_apart(struct plan *p); /* at GO, behind what the launch brings */

#endif
