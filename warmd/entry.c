/* SPDX-License-Identifier: MIT */
#include "warmd/entry.h"

#include "base/clean.h"
#include "cache/catalog.h"
#include "cache/pack.h"
#include "cache/store.h"
#include "policy/key.h"
#include "warmd/daemon.h"
#include "warmd/exec_job.h"
#include "warmd/files.h"
#include "warmd/log.h"
#include "warmd/prewarm.h"
#include "warmd/retired.h"
#include "warmd/snap_job.h"
#include "warmd/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAILURES_MAX 3 /* then it is quarantined */
#define USES_MAX     256
#define SWEPT_MS     600000

struct entry *entry_new(struct daemon *daemon, Warm__Rpc__Record *record)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->daemon = daemon;
	entry->record = record;
	snprintf(entry->id, sizeof(entry->id), "%s", record->id);
	entry->last_used = record->created;
	pool_entry_init(entry);
	learning_init(entry);
	LIST_INSERT_HEAD(&daemon->entries, entry, link);
	return entry;
}

void entry_free(struct entry *entry)
{
	if (!entry)
		return;
	pool_entry_drop(entry, "the snapshot is no longer served");
	working_set_fini(&entry->pool.working_set);
	learning_fini(entry);
	watch_set_free(entry->files);
	LIST_REMOVE(entry, link);
	warm__rpc__record__free_unpacked(entry->record, NULL);
	free(entry);
}

/* ---- moves ------------------------------------------------------------------------------------------------------- */

static int insert_row(struct entry *entry, enum catalog_state state, struct err *err)
{
	const Warm__Rpc__Record *record = entry->record;
	const Warm__Rpc__Conditions *conditions = record->conditions;
	struct catalog_row row = {
	        .name = record->name,
	        .reason = entry->reason[0] ? entry->reason : NULL,
	        .state = state,
	        .uid = conditions->uid,
	        .created = record->created,
	        .last_used = entry->last_used,
	        .processes = record->summary->processes,
	        .threads = record->summary->threads,
	        .rss_bytes = record->summary->rss_bytes,
	        .stored_bytes = entry->stored_bytes,
	        .n_command = conditions->n_argv,
	};
	int r;

	row.command = calloc(conditions->n_argv + 1, sizeof(*row.command));
	if (!row.command)
		return err_set(err, ENOMEM, "out of memory");
	/* Unpacked bytes have no NUL behind them. */
	for (size_t i = 0; i < conditions->n_argv; i++)
		row.command[i] = strndup((char *)conditions->argv[i].data, conditions->argv[i].len);
	memcpy(row.id, entry->id, sizeof(row.id));
	r = catalog_insert(entry->daemon->catalog, &row, err);
	for (size_t i = 0; i < conditions->n_argv; i++)
		free(row.command[i]);
	free(row.command);
	return r;
}

/* Something that it depends on is no longer what it was when the snapshot was taken. */
static int refuse_stale(const char *what, struct err *err)
{
	return err_refuse(err, "start it once more", "since it was taken, %s", what);
}

static int trust_files(struct entry *entry, struct err *err)
{
	const Warm__Rpc__Conditions *conditions = entry->record->conditions;
	char reason[ERR_MSG_MAX];

	entry->files = watch_set_new(entry->daemon->watch, conditions->file, conditions->n_file);
	if (!entry->files)
		return err_set(err, ENOMEM, "out of memory");
	/* In this order: what changes from now on is seen by inotify, what has changed so far by this. */
	if (watch_set_check(entry->files, reason, sizeof(reason)))
		return refuse_stale(reason, err);
	return 0;
}

/* A key keeps at most so many variants: the one unused for longest makes room. */
static void limit_variants(struct entry *entry)
{
	struct entry *other, *oldest = NULL;
	unsigned n = 0;

	LIST_FOREACH(other, &entry->daemon->entries, link)
	{
		if (other->state != ENTRY_PUBLISHED ||
		    !key_is_variant(other->record->conditions, entry->record->conditions))
			continue;
		n++;
		if (other != entry && (!oldest || other->last_used < oldest->last_used))
			oldest = other;
	}
	if (n > KEY_VARIANTS_MAX && oldest)
		entry_retire(oldest, "it made room: a command keeps at most 8 variants");
}

int entry_publish(struct entry *entry, struct err *err)
{
	int r = trust_files(entry, err);

	if (!r)
		r = insert_row(entry, CATALOG_PUBLISHED, err);
	if (r)
		return r;
	entry->state = ENTRY_PUBLISHED;
	retired_forget(entry->daemon, entry->record->conditions);
	prewarm_published(entry->daemon, entry->record->conditions);
	limit_variants(entry);
	return 0;
}

int entry_check_files(const struct entry *entry, struct err *err)
{
	const Warm__Rpc__Conditions *conditions = entry->record->conditions;
	char reason[ERR_MSG_MAX];

	for (size_t i = 0; i < conditions->n_file; i++) {
		if (file_check(conditions->file[i], reason, sizeof(reason)))
			return refuse_stale(reason, err);
	}
	return 0;
}

void entry_supersede(struct entry *entry)
{
	struct entry *other, *next;

	for (other = LIST_FIRST(&entry->daemon->entries); other; other = next) {
		next = LIST_NEXT(other, link);
		if (other != entry && other->state != ENTRY_TRIAL &&
		    conditions_same(entry->daemon, other->record->conditions, entry->record->conditions))
			entry_retire(other, "a newer one was asked for");
	}
}

void entry_quarantine(struct entry *entry, const char *reason)
{
	struct err err;
	int r;

	snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	pool_entry_drop(entry, reason);
	watch_set_free(entry->files);
	entry->files = NULL;
	if (entry->state == ENTRY_TRIAL)
		r = insert_row(entry, CATALOG_QUARANTINED, &err);
	else
		r = catalog_update_state(entry->daemon->catalog, entry->id, CATALOG_QUARANTINED, reason, &err);
	entry->state = ENTRY_QUARANTINED;
	log_line("snapshot %s of %s is quarantined: %s", entry->id, entry->record->conditions->cmd, entry->reason);
	if (r < 0)
		log_line("snapshot %s: %s", entry->id, err.msg);
	retired_note(entry->daemon, entry->record->conditions, entry->reason);
}

void entry_failed(struct entry *entry, const char *reason)
{
	log_line("snapshot %s of %s: %s", entry->id, entry->record->conditions->cmd, reason);
	snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	entry->skip_next = true;
	if (++entry->failures >= FAILURES_MAX && entry->state == ENTRY_PUBLISHED)
		entry_quarantine(entry, reason);
}

void entry_retire(struct entry *entry, const char *reason)
{
	struct daemon *daemon = entry->daemon;
	struct err err = {0};

	log_line("snapshot %s of %s goes: %s", entry->id, entry->record->conditions->cmd, reason);
	retired_note(daemon, entry->record->conditions, reason);
	learning_fini(entry); /* it writes beside the image */
	/* The image first: of a row without an image the next lookup rids itself, an image without a row is filed
	 * again. */
	if (store_delete_image(daemon->store, entry->id, &err) < 0 ||
	    catalog_delete(daemon->catalog, entry->id, &err) < 0)
		log_line("snapshot %s: %s", entry->id, err.msg);
	entry_free(entry);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

int entry_read_record(struct daemon *daemon, const char *id, Warm__Rpc__Record **ret, struct err *err)
{
	CLEAN(fd) int fd = -1;
	CLEAN(free) uint8_t *data = NULL;
	struct pack *pack = NULL;
	char label[32];
	size_t len;
	int r = store_open_image(daemon->store, id, &fd, err);

	if (r == STORE_GONE)
		return err_set(err, ENOENT, "image %s is gone", id);
	if (r)
		return r;
	snprintf(label, sizeof(label), "%s", id);
	r = pack_open(fd, label, &pack, err);
	if (!r)
		r = pack_section(pack, PACK_RECORD, &data, &len, err);
	pack_close(pack);
	if (r)
		return r;
	*ret = warm__rpc__record__unpack(NULL, len, data);
	if (!*ret || !(*ret)->conditions || !(*ret)->summary || strcmp((*ret)->id, id)) {
		if (*ret)
			warm__rpc__record__free_unpacked(*ret, NULL);
		return err_set(err, EBADMSG, "image %s: its record is damaged; `warm rm` it", id);
	}
	return 0;
}

struct found_row {
	STAILQ_ENTRY(found_row) link;
	char id[ID_LEN + 1];
	char *cmd; /* as it was called: the record may not be readable */
	uint32_t uid;
	uint64_t hits, last_used, stored_bytes;
	struct arrivals arrivals;
};
STAILQ_HEAD(found_rows, found_row);

static int note_row(void *arg, const struct catalog_row *row)
{
	struct found_rows *rows = arg;
	struct found_row *found;

	if (row->state != CATALOG_PUBLISHED)
		return 0;
	found = calloc(1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	found->cmd = strdup(row->n_command ? row->command[0] : "");
	if (!found->cmd) {
		free(found);
		return -ENOMEM;
	}
	found->uid = row->uid;
	memcpy(found->id, row->id, sizeof(found->id));
	found->hits = row->hits;
	found->last_used = row->last_used;
	found->stored_bytes = row->stored_bytes;
	if (row->n_arrivals)
		arrivals_unpack(&found->arrivals, row->arrivals, row->n_arrivals); /* else it is learnt anew */
	STAILQ_INSERT_TAIL(rows, found, link);
	return 0;
}

/* One that cannot be read is set aside with its reason; the others are served. */
static void load_one(struct daemon *daemon, const struct found_row *row)
{
	Warm__Rpc__Record *record = NULL;
	struct entry *entry;
	struct err err;

	if (entry_read_record(daemon, row->id, &record, &err)) {
		log_line("%s", err.msg);
		retired_note_cmd(daemon, row->uid, row->cmd, err.msg);
		if (err.code == ENOENT)
			catalog_delete(daemon->catalog, row->id, &err);
		else
			catalog_update_state(daemon->catalog, row->id, CATALOG_QUARANTINED, err.msg, &err);
		return;
	}
	entry = entry_new(daemon, record);
	if (!entry) {
		warm__rpc__record__free_unpacked(record, NULL);
		return;
	}
	entry->state = ENTRY_PUBLISHED;
	entry->hits = row->hits;
	entry->last_used = row->last_used;
	entry->stored_bytes = row->stored_bytes;
	pool_remember(entry, &row->arrivals, (uint64_t)time(NULL));
	if (!*record->conditions->interpreter)
		prewarm_learn_conditions(daemon, record->conditions);
	if (record->monotonic_ns > daemon_now_ns())
		entry_retire(entry, "the machine was started anew since: in a copy its clock would run backwards");
	else if (trust_files(entry, &err))
		entry_retire(entry, err.msg);
}

void entry_load_all(struct daemon *daemon)
{
	struct found_rows rows = STAILQ_HEAD_INITIALIZER(rows);
	struct found_row *row;
	struct err err;

	if (catalog_list(daemon->catalog, CATALOG_ANY_UID, note_row, &rows, &err) < 0)
		log_line("%s", err.msg);
	while ((row = STAILQ_FIRST(&rows))) {
		STAILQ_REMOVE_HEAD(&rows, link);
		load_one(daemon, row);
		free(row->cmd);
		free(row);
	}
}

/* ---- lookup ------------------------------------------------------------------------------------------------------ */

static bool too_old(const struct entry *entry)
{
	return (uint64_t)time(NULL) > entry->record->created + entry->daemon->config.max_age_s;
}

bool entry_is_swept(const struct entry *entry)
{
	return daemon_now_ms() <= entry->pool.history.arrivals.last_ms + SWEPT_MS;
}

/* Whether it may be launched now. Where it may not it is gone on return, and *reason says why. */
static bool entry_fresh(struct entry *entry, char *reason, size_t size)
{
	if (!entry_is_swept(entry))
		watch_set_suspect(entry->files);
	if (too_old(entry))
		snprintf(reason, size, "the snapshot is older than max-age");
	else if (!watch_set_check(entry->files, reason, size))
		return true;
	entry_retire(entry, reason);
	return false;
}

struct entry *entry_find(struct daemon *daemon, const Warm__Rpc__Conditions *now, char *reason, size_t size)
{
	struct entry *entry, *next;
	int best = 0;

	watch_drain(daemon->watch);
	key_none_yet(now, reason, size);
	if (retired_reason(daemon, now, reason, size))
		best = INT_MAX; /* it came the whole way, and went before this launch asked */

	for (entry = LIST_FIRST(&daemon->entries); entry; entry = next) {
		const Warm__Rpc__Conditions *conditions = entry->record->conditions;
		char why[ERR_MSG_MAX];
		int r;

		next = LIST_NEXT(entry, link);
		if (entry->state != ENTRY_PUBLISHED || conditions->uid != now->uid ||
		    strcmp(conditions->cmd, now->cmd) || !*conditions->interpreter != !*now->interpreter)
			continue;
		r = key_compare(conditions, now, (const char *const *)daemon->config.ignore_env, why, sizeof(why));
		if (!r && entry_fresh(entry, why, sizeof(why)))
			return entry;
		if (!r)
			r = INT_MAX; /* it came the whole way, but for a file */
		else if (!key_is_comparable(conditions, now))
			continue;
		if (r > best) {
			best = r;
			snprintf(reason, size, "%s", why);
		}
	}
	return NULL;
}

bool conditions_same(struct daemon *daemon, const Warm__Rpc__Conditions *a, const Warm__Rpc__Conditions *b)
{
	char why[ERR_MSG_MAX];

	return a->uid == b->uid && !strcmp(a->cmd, b->cmd) &&
	       !key_compare(a, b, (const char *const *)daemon->config.ignore_env, why, sizeof(why));
}

struct entry *entry_find_same(struct daemon *daemon, const Warm__Rpc__Conditions *conditions)
{
	struct entry *entry;

	LIST_FOREACH(entry, &daemon->entries, link)
	{
		if (conditions_same(daemon, entry->record->conditions, conditions))
			return entry;
	}
	return NULL;
}

bool entry_on_terminal(const struct entry *entry)
{
	const Warm__Rpc__Conditions *conditions = entry->record->conditions;

	for (size_t i = 0; i < conditions->n_stdio_kind; i++) {
		if (conditions->stdio_kind[i] == STDIO_TTY)
			return true;
	}
	return false;
}

/* ---- use --------------------------------------------------------------------------------------------------------- */

void entry_used(struct entry *entry)
{
	entry->last_used = (uint64_t)time(NULL);
	entry->hits++;
	entry->new_hits++;
	entry->failures = 0;
}

void entry_write_uses(struct daemon *daemon)
{
	uint8_t arrivals[USES_MAX][ARRIVALS_PACKED];
	struct catalog_use use[USES_MAX];
	struct entry *entry;
	size_t n = 0;
	struct err err;

	LIST_FOREACH(entry, &daemon->entries, link)
	{
		if (!entry->new_hits || n == USES_MAX)
			continue;
		memcpy(use[n].id, entry->id, sizeof(use[n].id));
		use[n].hits = entry->new_hits;
		use[n].last_used = entry->last_used;
		arrivals_pack(&entry->pool.history.arrivals, arrivals[n]);
		use[n].arrivals = arrivals[n];
		use[n++].n_arrivals = ARRIVALS_PACKED;
		entry->new_hits = 0;
	}
	if (n && catalog_touch(daemon->catalog, use, n, &err) < 0)
		log_line("%s", err.msg);
}
