/* SPDX-License-Identifier: MIT */
/* What the planners rely on in an image's metadata. Its checksum says that nobody damaged it, not that it makes sense.
 */
#ifndef WARM_RESTORE_CHECK_H
#define WARM_RESTORE_CHECK_H

#include "proto/image.pb-c.h"

struct err;

/* n_pages: how many the image file holds. Fails by name; label: of the image, for messages. */
int check_image(const Warm__Image__Image *image, uint64_t n_pages, const char *label, struct err *err);

#endif
