/* SPDX-License-Identifier: MIT */
/*
 * Where images lie: ROOT (mode 0700) with catalog.db and images/ID.warm (mode 0600). An image is written as
 * images/ID.warm.tmp, synced and renamed by warm-store: a name without .tmp is a whole image.
 * Outcomes to choose on are positive; failures are -errno with *err filled.
 */
#ifndef WARM_CACHE_STORE_H
#define WARM_CACHE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/id.h"

struct err;
struct stat;
struct store;

#define STORE_NAME_MAX (ID_LEN + 16)
enum store_outcome { STORE_GONE = 1 };

/* Opens the cache root, making it (and its parents) where it is missing. Refuses one that belongs to another user or
 * that others may write to. */
int store_open(const char *root, struct store **ret_store, struct err *err);
void store_close(struct store *store);

const char *store_root(const struct store *store);
int store_dir_fd(const struct store *store); /* of images/: warm-store's --dir; stays the store's */

/* "ID.warm": warm-store's --file. */
const char *store_image_name(const char *id, char name[STORE_NAME_MAX]);

/* 0 and a read-only descriptor, or STORE_GONE, or -errno. */
int store_open_image(struct store *store, const char *id, int *ret_fd, struct err *err);

/* 0, STORE_GONE, or -errno. A half-written one of that id goes too. */
int store_delete_image(struct store *store, const char *id, struct err *err);

/* What warm-store has stored anew, and synced, under the temporary name becomes the image of that id. */
int store_replace_image(struct store *store, const char *id, struct err *err);

/* Calls fn for every whole image; a value other than 0 from fn ends the walk and is returned. */
int store_each(struct store *store, int (*fn)(void *arg, const char *id, const struct stat *st), void *arg,
               struct err *err);

struct store_swept {
	unsigned files;
	uint64_t bytes;
};

/* Removes what nobody knows: half-written files and images for which keep() says false. keep() must know ids that are
 * being stored right now. */
int store_sweep(struct store *store, bool (*keep)(void *arg, const char *id), void *arg, struct store_swept *swept,
                struct err *err);

#endif
