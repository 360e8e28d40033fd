/* SPDX-License-Identifier: MIT */
/*
 * Files images that the catalog has no row for: all of them after a catalog was lost, the newest after a power failure.
 */
#ifndef WARM_CACHE_ADOPT_H
#define WARM_CACHE_ADOPT_H

struct catalog;
struct err;
struct store;

struct adopted {
	unsigned filed;      /* rows made */
	unsigned unreadable; /* filed as quarantined, with the reason */
};

int adopt_images(struct catalog *catalog, struct store *store, void (*log)(void *arg, const char *line), void *arg,
                 struct adopted *adopted, struct err *err);

#endif
