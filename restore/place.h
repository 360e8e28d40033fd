/* SPDX-License-Identifier: MIT */
/* What the process that will run a plan has to offer: a struct place, made of this very process. */
#ifndef WARM_RESTORE_PLACE_H
#define WARM_RESTORE_PLACE_H

#include "restore/plan.h"

struct err;
struct pack;

/* What this kernel and this process have, whatever the image is: place_fini() frees it. */
int place_ask(struct place *place, struct err *err);

/* Finds room for arena and n_pages staged ones that neither this process nor the image uses; compares what was asked.
 * Opens nothing. */
int place_find(struct place *place, const Warm__Image__Image *image, uint64_t n_pages, struct err *err);

/* Descriptors above fd_base, mapped files opened and checked to be those of the image. sock_fd, init_fd: -1 where the
 * plan is only to be printed. */
int place_open_files(struct place *place, const Warm__Image__Image *image, int sock_fd, int init_fd, struct err *err);

void place_fini(struct place *place);

#endif
