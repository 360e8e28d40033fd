/* SPDX-License-Identifier: MIT */
/* Shared anonymous memory (snapshot/collect_shared.c). Private to snapshot/. */
#ifndef WARM_SNAPSHOT_SHARED_INTERNAL_H
#define WARM_SNAPSHOT_SHARED_INTERNAL_H

#include "snapshot/subject.h"

/* path: as maps and smaps have it. */
bool is_shared_anonymous(const char *path);
int take_shared_area(struct subject *s, Warm__Image__Vma *vma, uint64_t ino, struct err *err);

#endif
