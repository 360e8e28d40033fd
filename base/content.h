/* SPDX-License-Identifier: MIT */
/* What is in a part of a file, as a digest. */
#ifndef WARM_BASE_CONTENT_H
#define WARM_BASE_CONTENT_H

#include <stdint.h>
#include "base/digest.h"

/*
 * Of the len bytes from offset on of a regular file, or of those that there are; path must be the file with this
 * identity. -ESTALE: it is another one, or no regular file any more; else -errno. Does not wait for a lease that
 * somebody holds (-EAGAIN).
 */
int content_digest(const char *path, uint64_t dev, uint64_t ino, uint64_t offset, uint64_t len,
                   uint8_t ret[DIGEST_SIZE]);

#endif
