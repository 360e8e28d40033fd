/* SPDX-License-Identifier: MIT */
/*
 * A start from disk that does not wait for all pages: those that are stored first are mapped and placed, the others are
 * brought by the pager (pager/) when they are touched. Not for images with shared memory, nor
 * with guard regions.
 */
#ifndef WARM_RESTORE_LAZY_H
#define WARM_RESTORE_LAZY_H

#include <stdbool.h>

#include "cache/pack.h"
#include "proto/image.pb-c.h"
#include "restore/plan.h"

struct err;
struct restore_request;

/* Can this image be started so? Sets place->lazy and, where some of its pages are left to a pager, place->paged. */
void lazy_choose(struct place *place, const Warm__Image__Image *image, bool has_pager);

/* Maps the first pages at place->staging (place_find() made room for them) and verifies them. */
int lazy_stage(struct place *place, int image_fd, const struct pack *pack, struct err *err);

/* The userfaultfd of this process's memory, as place->uffd; where a pager is wanted it gets it, with the image and its
 * end of the socket by which it and the supervisor know of each other's end. */
int lazy_register(struct place *place, const Warm__Image__Image *image, const struct restore_request *req,
                  struct err *err);

#endif
