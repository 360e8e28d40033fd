/* SPDX-License-Identifier: MIT */
/*
 * A start from disk that does not wait for all pages: those that are stored first are read, verified and placed by the
 * plan, a block at a time, by way of one small buffer, and by calls of the kernel alone: no page of theirs is touched.
 * The others are brought by the pager (pager/) when the program touches them. Not for images with shared memory, nor
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

/* Can this image be started so? Sets place->lazy and, where some of its pages are left to a pager, place->paged; and
 * where the first pages (place->first) lie in the file. */
int lazy_choose(struct place *place, const Warm__Image__Image *image, const struct pack *pack, bool has_pager,
                struct err *err);

/* Has what a launch reads of the image read together, where it is not in the page cache: before it is opened (`pack`
 * NULL) the parts that are known to be read, behind that the first pages. */
void lazy_read_ahead(int image_fd, const struct pack *pack);

/* Memory for one block of them at place->staging (place_find() made room for it), and what the plan reads them from and
 * writes them by. */
int lazy_stage(struct place *place, int image_fd, struct err *err);

/* The userfaultfd of this process's memory, as place->uffd; where a pager is wanted it gets it, with the image and its
 * end of the socket by which it and the supervisor know of each other's end. */
int lazy_register(struct place *place, const Warm__Image__Image *image, const struct restore_request *req,
                  struct err *err);

#endif
