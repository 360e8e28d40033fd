/* SPDX-License-Identifier: MIT */
#include "cache/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "cache/adopt.h"
#include "cache/store.h"

#define SCHEMA_VERSION 6
#define TEXT_(number)  #number
#define TEXT(number)   TEXT_(number)
#define ASIDE_MAX      (PATH_MAX + 64)
#define COLUMNS                                                                                                        \
	"id, name, state, uid, command, created, last_used, hits, processes, threads, rss_bytes, stored_bytes, "       \
	"reason, "                                                                                                     \
	"arrivals"

struct catalog {
	sqlite3 *db;
};

static const char table[] =
        "CREATE TABLE snapshot (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, state INTEGER NOT NULL,"
        " uid INTEGER NOT NULL, command BLOB NOT NULL, created INTEGER NOT NULL, last_used INTEGER NOT NULL,"
        " hits INTEGER NOT NULL, processes INTEGER NOT NULL, threads INTEGER NOT NULL, rss_bytes INTEGER NOT NULL,"
        " stored_bytes INTEGER NOT NULL, reason TEXT, arrivals BLOB) WITHOUT ROWID";

static const char set_version[] = "PRAGMA user_version = " TEXT(SCHEMA_VERSION);

static const char *const schema[] = {
        "BEGIN", table, "CREATE INDEX snapshot_name ON snapshot (name)", set_version, "COMMIT",
};

static void finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}
#define CLEAN_STMT __attribute__((cleanup(finalize)))

const char *catalog_state_name(enum catalog_state state)
{
	static const char *const state_name[] = {"storing", "published", "quarantined"};

	return state_name[state];
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static int db_err(struct catalog *catalog, struct err *err, const char *what)
{
	int code = sqlite3_errcode(catalog->db) & 0xff;

	return err_set(err,
	               code == SQLITE_FULL         ? ENOSPC
	               : code == SQLITE_CONSTRAINT ? EEXIST
	                                           : EIO,
	               "catalog: %s: %s", what, sqlite3_errmsg(catalog->db));
}

static int query_number(sqlite3 *db, const char *sql, int *ret_value)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(stmt);
	if (code != SQLITE_ROW)
		return code;
	*ret_value = sqlite3_column_int(stmt, 0);
	return SQLITE_OK;
}

static bool whole(sqlite3 *db)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;

	return sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
	       sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
}

enum opened { OPENED_GOOD, OPENED_DAMAGED, OPENED_FOREIGN };

/* Opens the file and makes the table where there is none. ret_version: of a catalog that this program does not know. */
static int open_db(struct catalog *catalog, const char *path, enum opened *ret_opened, int *ret_version,
                   struct err *err)
{
	int code, tables = 0;

	*ret_version = 0;
	*ret_opened = OPENED_GOOD;
	code = sqlite3_open_v2(path, &catalog->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	                       NULL);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(catalog->db, 1000);
		code = query_number(catalog->db, "PRAGMA user_version", ret_version);
	}
	if (code == SQLITE_OK && *ret_version != 0 && *ret_version != SCHEMA_VERSION) {
		*ret_opened = OPENED_FOREIGN;
		return 0;
	}
	if (code == SQLITE_OK)
		code = query_number(catalog->db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || (code == SQLITE_OK && !whole(catalog->db)) ||
	    (code == SQLITE_OK && *ret_version == 0 && tables > 0)) {
		*ret_opened = OPENED_DAMAGED;
		return 0;
	}
	if (code == SQLITE_OK)
		code = sqlite3_exec(catalog->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL, NULL,
		                    NULL);
	for (size_t i = 0; code == SQLITE_OK && *ret_version == 0 && i < sizeof(schema) / sizeof(schema[0]); i++)
		code = sqlite3_exec(catalog->db, schema[i], NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return err_set(err, code == SQLITE_FULL ? ENOSPC : EIO, "open catalog %s: %s", path,
		               sqlite3_errmsg(catalog->db));
	return 0;
}

/* Moves the file and its journal out of the way, under a name that says why. Nobody's data is thrown away. */
static int set_aside(const char *path, const char *why, char aside[ASIDE_MAX], struct err *err)
{
	static const char *const suffix[] = {"-wal", "-shm"};

	for (unsigned n = 0;; n++) {
		if (n == 0)
			snprintf(aside, ASIDE_MAX, "%s.%s", path, why);
		else
			snprintf(aside, ASIDE_MAX, "%s.%s.%u", path, why, n);
		if (renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE) == 0)
			break;
		if (errno != EEXIST || n == 1000)
			return err_sys(err, errno, "set aside catalog %s", path);
	}
	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		char from[PATH_MAX + 8], to[ASIDE_MAX + 8];

		snprintf(from, sizeof(from), "%s%s", path, suffix[i]);
		snprintf(to, sizeof(to), "%s%s", aside, suffix[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return err_sys(err, errno, "set aside catalog %s", from);
	}
	return 0;
}

static int open_or_remake(struct catalog *catalog, const char *path, char *line, size_t line_size, struct err *err)
{
	char why[32], aside[ASIDE_MAX];
	enum opened opened;
	int version, ret = open_db(catalog, path, &opened, &version, err);

	if (ret < 0 || opened == OPENED_GOOD)
		return ret;
	sqlite3_close(catalog->db);
	catalog->db = NULL;
	snprintf(why, sizeof(why), opened == OPENED_FOREIGN ? "version-%d" : "damaged", version);
	ret = set_aside(path, why, aside, err);
	if (ret < 0)
		return ret;
	if (opened == OPENED_FOREIGN)
		snprintf(line, line_size,
		         "catalog %s has version %d, this warmd knows version %d: it was set aside as %s", path,
		         version, SCHEMA_VERSION, aside);
	else
		snprintf(line, line_size, "catalog %s is damaged: it was set aside as %s", path, aside);
	ret = open_db(catalog, path, &opened, &version, err);
	if (ret == 0 && opened != OPENED_GOOD)
		return err_set(err, EIO, "catalog %s cannot be made anew: remove it", path);
	return ret;
}

int catalog_open(struct store *store, void (*log)(void *arg, const char *line), void *arg, struct catalog **ret_catalog,
                 struct err *err)
{
	char path[PATH_MAX], aside[3 * PATH_MAX] = "";
	struct catalog *catalog = calloc(1, sizeof(*catalog));
	struct adopted adopted = {0};
	int ret;

	if (!catalog)
		return err_sys(err, ENOMEM, "open catalog");
	if (snprintf(path, sizeof(path), "%s/catalog.db", store_root(store)) >= (int)sizeof(path))
		ret = err_sys(err, ENAMETOOLONG, "open catalog in %s", store_root(store));
	else
		ret = open_or_remake(catalog, path, aside, sizeof(aside), err);
	if (ret == 0)
		ret = adopt_images(catalog, store, log, arg, &adopted, err);
	if (ret < 0) {
		catalog_close(catalog);
		return ret;
	}
	if (log && (aside[0] || adopted.filed)) {
		char line[4 * PATH_MAX];

		snprintf(line, sizeof(line), "%s%s%u snapshot%s filed again from the images", aside,
		         aside[0] ? "; " : "", adopted.filed, adopted.filed == 1 ? " was" : "s were");
		log(arg, line);
	}
	*ret_catalog = catalog;
	return 0;
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	sqlite3_close(catalog->db);
	free(catalog);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static int prepare(struct catalog *catalog, const char *sql, sqlite3_stmt **ret_stmt, struct err *err)
{
	if (sqlite3_prepare_v2(catalog->db, sql, -1, ret_stmt, NULL) != SQLITE_OK)
		return db_err(catalog, err, "prepare");
	return 0;
}

/* Runs a statement without results. */
static int finish(struct catalog *catalog, sqlite3_stmt *stmt, const char *what, struct err *err)
{
	if (sqlite3_step(stmt) != SQLITE_DONE)
		return db_err(catalog, err, what);
	return 0;
}

static int finish_one(struct catalog *catalog, sqlite3_stmt *stmt, const char *what, struct err *err)
{
	int ret = finish(catalog, stmt, what, err);

	return ret == 0 && sqlite3_changes(catalog->db) == 0 ? CATALOG_NONE : ret;
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	if (text)
		sqlite3_bind_text(stmt, at, text, -1, SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(stmt, at);
}

/* The command is kept as its strings, a NUL behind each. */
static void bind_command(sqlite3_stmt *stmt, int at, const struct catalog_row *row)
{
	CLEAN(free) char *joined = NULL;
	size_t len = 0;
	CLEAN(file) FILE *out = open_memstream(&joined, &len);

	for (size_t i = 0; out && i < row->n_command; i++)
		fwrite(row->command[i], 1, strlen(row->command[i]) + 1, out);
	if (out)
		fflush(out);
	sqlite3_bind_blob(stmt, at, joined && len ? joined : "", (int)len, SQLITE_TRANSIENT);
}

int catalog_insert(struct catalog *catalog, const struct catalog_row *row, struct err *err)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int ret = prepare(catalog, "INSERT INTO snapshot (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,NULL)", &stmt,
	                  err);

	if (ret < 0)
		return ret;
	bind_text(stmt, 1, row->id);
	bind_text(stmt, 2, row->name ? row->name : "");
	sqlite3_bind_int(stmt, 3, row->state);
	sqlite3_bind_int64(stmt, 4, row->uid);
	bind_command(stmt, 5, row);
	sqlite3_bind_int64(stmt, 6, (sqlite3_int64)row->created);
	sqlite3_bind_int64(stmt, 7, (sqlite3_int64)row->last_used);
	sqlite3_bind_int64(stmt, 8, (sqlite3_int64)row->hits);
	sqlite3_bind_int64(stmt, 9, row->processes);
	sqlite3_bind_int64(stmt, 10, row->threads);
	sqlite3_bind_int64(stmt, 11, (sqlite3_int64)row->rss_bytes);
	sqlite3_bind_int64(stmt, 12, (sqlite3_int64)row->stored_bytes);
	bind_text(stmt, 13, row->reason);
	return finish(catalog, stmt, "insert", err);
}

int catalog_update_state(struct catalog *catalog, const char *id, enum catalog_state state, const char *reason,
                         struct err *err)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int ret = prepare(catalog, "UPDATE snapshot SET state = ?, reason = ? WHERE id = ?", &stmt, err);

	if (ret < 0)
		return ret;
	sqlite3_bind_int(stmt, 1, state);
	bind_text(stmt, 2, state == CATALOG_QUARANTINED ? reason : NULL);
	bind_text(stmt, 3, id);
	return finish_one(catalog, stmt, "update", err);
}

int catalog_update_stored(struct catalog *catalog, const char *id, uint64_t stored_bytes, struct err *err)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int ret = prepare(catalog, "UPDATE snapshot SET stored_bytes = ? WHERE id = ?", &stmt, err);

	if (ret < 0)
		return ret;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)stored_bytes);
	bind_text(stmt, 2, id);
	return finish_one(catalog, stmt, "update", err);
}

int catalog_delete(struct catalog *catalog, const char *id, struct err *err)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int ret = prepare(catalog, "DELETE FROM snapshot WHERE id = ?", &stmt, err);

	if (ret < 0)
		return ret;
	bind_text(stmt, 1, id);
	return finish_one(catalog, stmt, "delete", err);
}

int catalog_touch(struct catalog *catalog, const struct catalog_use *use, size_t n_use, struct err *err)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int ret;

	if (n_use == 0)
		return 0;
	ret = prepare(catalog,
	              "UPDATE snapshot SET hits = hits + ?, last_used = max(last_used, ?), arrivals = ? WHERE id = ?",
	              &stmt, err);
	if (ret < 0)
		return ret;
	if (sqlite3_exec(catalog->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return db_err(catalog, err, "begin");
	for (size_t i = 0; ret == 0 && i < n_use; i++) {
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)use[i].hits);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)use[i].last_used);
		sqlite3_bind_blob(stmt, 3, use[i].arrivals, (int)use[i].n_arrivals, SQLITE_TRANSIENT);
		bind_text(stmt, 4, use[i].id);
		ret = finish(catalog, stmt, "touch", err);
		sqlite3_reset(stmt);
	}
	if (ret == 0 && sqlite3_exec(catalog->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		ret = db_err(catalog, err, "commit");
	if (ret < 0)
		sqlite3_exec(catalog->db, "ROLLBACK", NULL, NULL, NULL);
	return ret;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

void catalog_row_fini(struct catalog_row *row)
{
	free(row->name);
	free(row->reason);
	for (size_t i = 0; i < row->n_command; i++)
		free(row->command[i]);
	free(row->command);
	free(row->arrivals);
	memset(row, 0, sizeof(*row));
}

static int split_command(struct catalog_row *row, const char *joined, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += joined[i] == 0;
	row->command = calloc(n + 1, sizeof(*row->command));
	if (!row->command)
		return -ENOMEM;
	for (; row->n_command < n; row->n_command++) {
		row->command[row->n_command] = strdup(joined);
		if (!row->command[row->n_command])
			return -ENOMEM;
		joined += strlen(joined) + 1;
	}
	return 0;
}

static int read_row(sqlite3_stmt *stmt, struct catalog_row *row, struct err *err)
{
	const char *id = (const char *)sqlite3_column_text(stmt, 0);
	const char *name = (const char *)sqlite3_column_text(stmt, 1);
	const char *reason = (const char *)sqlite3_column_text(stmt, 12);
	int state = sqlite3_column_int(stmt, 2);
	const char *command = sqlite3_column_blob(stmt, 4);
	const void *arrivals = sqlite3_column_blob(stmt, 13);

	memset(row, 0, sizeof(*row));
	snprintf(row->id, sizeof(row->id), "%s", id ? id : "");
	row->state = state == CATALOG_STORING || state == CATALOG_PUBLISHED ? (enum catalog_state)state
	                                                                    : CATALOG_QUARANTINED;
	row->uid = (uint32_t)sqlite3_column_int64(stmt, 3);
	row->created = (uint64_t)sqlite3_column_int64(stmt, 5);
	row->last_used = (uint64_t)sqlite3_column_int64(stmt, 6);
	row->hits = (uint64_t)sqlite3_column_int64(stmt, 7);
	row->processes = (uint32_t)sqlite3_column_int64(stmt, 8);
	row->threads = (uint32_t)sqlite3_column_int64(stmt, 9);
	row->rss_bytes = (uint64_t)sqlite3_column_int64(stmt, 10);
	row->stored_bytes = (uint64_t)sqlite3_column_int64(stmt, 11);
	row->name = strdup(name ? name : "");
	row->reason = reason ? strdup(reason) : NULL;
	row->n_arrivals = arrivals ? (size_t)sqlite3_column_bytes(stmt, 13) : 0;
	row->arrivals = malloc(row->n_arrivals + 1);
	if (row->arrivals && arrivals)
		memcpy(row->arrivals, arrivals, row->n_arrivals);
	if (!row->name || !row->arrivals || (reason && !row->reason) ||
	    split_command(row, command, (size_t)sqlite3_column_bytes(stmt, 4)) < 0) {
		catalog_row_fini(row);
		return err_sys(err, ENOMEM, "catalog: read a row");
	}
	return 0;
}

/* At most one row more than asked for tells whether a prefix is ambiguous. */
static int find_by(struct catalog *catalog, const char *sql, const char *key, uint32_t uid, bool unique,
                   struct catalog_row *row, struct err *err)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int ret = prepare(catalog, sql, &stmt, err), code;

	if (ret < 0)
		return ret;
	bind_text(stmt, 1, key);
	sqlite3_bind_int64(stmt, 2, uid == CATALOG_ANY_UID ? -1 : (sqlite3_int64)uid);
	code = sqlite3_step(stmt);
	if (code == SQLITE_DONE)
		return CATALOG_NONE;
	if (code != SQLITE_ROW)
		return db_err(catalog, err, "find");
	ret = read_row(stmt, row, err);
	if (ret == 0 && unique && sqlite3_step(stmt) == SQLITE_ROW) {
		catalog_row_fini(row);
		return CATALOG_AMBIGUOUS;
	}
	return ret;
}

int catalog_find(struct catalog *catalog, const char *key, uint32_t uid, struct catalog_row *row, struct err *err)
{
	int ret = find_by(catalog, "SELECT " COLUMNS " FROM snapshot WHERE id = ?1 AND ?2 IN (-1, uid)", key, uid, true,
	                  row, err);

	if (!key[0])
		return CATALOG_NONE; /* every id begins with it, every nameless row has it for a name */
	if (ret == CATALOG_NONE)
		ret = find_by(catalog,
		              "SELECT " COLUMNS " FROM snapshot WHERE name = ?1 AND ?2 IN (-1, uid)"
		              " ORDER BY state = 1 DESC, created DESC, id LIMIT 1",
		              key, uid, false, row, err);
	if (ret == CATALOG_NONE)
		ret = find_by(catalog,
		              "SELECT " COLUMNS
		              " FROM snapshot WHERE substr(id, 1, length(?1)) = ?1 AND ?2 IN (-1, uid) LIMIT 2",
		              key, uid, true, row, err);
	return ret;
}

int catalog_list(struct catalog *catalog, uint32_t uid, int (*fn)(void *arg, const struct catalog_row *row), void *arg,
                 struct err *err)
{
	CLEAN_STMT sqlite3_stmt *stmt = NULL;
	int ret = prepare(catalog, "SELECT " COLUMNS " FROM snapshot WHERE ?1 IN (-1, uid) ORDER BY created, id", &stmt,
	                  err);
	int code = SQLITE_DONE;

	if (ret < 0)
		return ret;
	sqlite3_bind_int64(stmt, 1, uid == CATALOG_ANY_UID ? -1 : (sqlite3_int64)uid);
	while (ret == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct catalog_row row;

		ret = read_row(stmt, &row, err);
		if (ret < 0)
			return ret;
		ret = fn(arg, &row);
		catalog_row_fini(&row);
	}
	if (ret == 0 && code != SQLITE_DONE)
		return db_err(catalog, err, "list");
	return ret;
}
