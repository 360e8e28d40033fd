/* SPDX-License-Identifier: MIT */
/*
 * What is in the cache: one row a snapshot, in SQLite (WAL). The images are the truth, this is their list: a catalog
 * that is lost, damaged or of an unknown version is set aside and made again from them. The only door to sqlite3.
 *
 * Commits are not synced (warmd's loop must not wait for a disk): after a power failure the newest rows may be gone,
 * and catalog_open() files every image that has no row again. Hence the order: an image is deleted before its row.
 */
#ifndef WARM_CACHE_CATALOG_H
#define WARM_CACHE_CATALOG_H

#include <stddef.h>
#include <stdint.h>
#include "base/id.h"

struct catalog;
struct err;
struct store;

enum catalog_state { CATALOG_STORING = 0, CATALOG_PUBLISHED = 1, CATALOG_QUARANTINED = 2 };
enum catalog_outcome { CATALOG_NONE = 1, CATALOG_AMBIGUOUS = 2 };
#define CATALOG_ANY_UID UINT32_MAX

struct catalog_row {
	char id[ID_LEN + 1];
	char *name;     /* "" = none; never NULL in a row that was read */
	char **command; /* n_command strings and a NULL */
	size_t n_command;
	char *reason; /* why quarantined, or NULL */
	enum catalog_state state;
	uint32_t uid;
	uint64_t created, last_used; /* seconds since 1970 */
	uint64_t hits;
	uint32_t processes, threads;
	uint64_t rss_bytes, stored_bytes;
	void *arrivals; /* how its launches come: warmd's, n_arrivals bytes, 0 where nothing is known */
	size_t n_arrivals;
};

struct catalog_use { /* what was launched since the last catalog_touch() */
	char id[ID_LEN + 1];
	uint64_t hits; /* to be added */
	uint64_t last_used;
	const void *arrivals; /* in place of what there was */
	size_t n_arrivals;
};

const char *catalog_state_name(enum catalog_state state); /* "published", ... */

/* Opens ROOT/catalog.db and files images that have no row. What is worth telling goes to log (may be NULL), a line
 * each. */
int catalog_open(struct store *store, void (*log)(void *arg, const char *line), void *arg, struct catalog **ret_catalog,
                 struct err *err);
void catalog_close(struct catalog *catalog);

/* Strings of the row are copied. name, reason and command may be NULL. -EEXIST: the id is there. */
int catalog_insert(struct catalog *catalog, const struct catalog_row *row, struct err *err);

/* 0 or CATALOG_NONE or -errno. reason: kept for CATALOG_QUARANTINED, NULL otherwise. */
int catalog_update_state(struct catalog *catalog, const char *id, enum catalog_state state, const char *reason,
                         struct err *err);
int catalog_update_stored(struct catalog *catalog, const char *id, uint64_t stored_bytes, struct err *err);
int catalog_delete(struct catalog *catalog, const char *id, struct err *err);

/* All uses in one transaction; ids that are gone are passed over. */
int catalog_touch(struct catalog *catalog, const struct catalog_use *use, size_t n_use, struct err *err);

/* key: an id, a name (of several the newest published one) or a unique prefix of an id, tried in this order, among the
 * snapshots of uid. 0 and *row filled, CATALOG_NONE, CATALOG_AMBIGUOUS, or -errno. */
int catalog_find(struct catalog *catalog, const char *key, uint32_t uid, struct catalog_row *row, struct err *err);
void catalog_row_fini(struct catalog_row *row);

/* Calls fn for each row of uid, oldest first; the row is the catalog's. A value other than 0 from fn ends the walk and
 * is returned. fn may not call the catalog. */
int catalog_list(struct catalog *catalog, uint32_t uid, int (*fn)(void *arg, const struct catalog_row *row), void *arg,
                 struct err *err);

#endif
