/* SPDX-License-Identifier: MIT */
/* Private to restore/plan_memory.c and plan_shared.c. */
#ifndef WARM_RESTORE_MEMORY_INTERNAL_H
#define WARM_RESTORE_MEMORY_INTERNAL_H

#include "restore/plan.h"

bool vma_has_flag(const Warm__Image__Vma *vma, const char *flag);
/* In the standby: a fork would share it. */
void plan_shared(struct plan *p);
void plan_area_name(struct plan *p, const Warm__Image__Vma *vma);
void plan_area_advice(struct plan *p, const Warm__Image__Vma *vma);

#endif
