/* SPDX-License-Identifier: MIT */
#include "warmd/verbs.h"

#include "base/clean.h"
#include "base/err.h"
#include "cache/catalog.h"
#include "cache/store.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/snap_job.h"
#include "warmd/template.h"
#include "warmd/verbs_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE UINT64_C(4096)

static uint32_t visible_uid(const struct client *client)
{
	return client->peer.uid == 0 ? CATALOG_ANY_UID : client->peer.uid;
}

struct entry *verb_entry(struct daemon *daemon, const char *id)
{
	struct entry *entry;

	LIST_FOREACH(entry, &daemon->entries, link)
	{
		if (!strcmp(entry->id, id))
			return entry;
	}
	return NULL;
}

int verb_find(struct client *client, const char *key, struct catalog_row *row, struct err *err)
{
	int r = catalog_find(client->daemon->catalog, key, visible_uid(client), row, err);

	if (r == CATALOG_NONE)
		return err_set(err, ENOENT, "no snapshot %s: `warm ls` lists them", key);
	if (r == CATALOG_AMBIGUOUS)
		return err_set(err, EINVAL, "%s is the beginning of several ids: give more of it", key);
	return r;
}

int verb_lines(struct client *client, char **line, size_t n)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;

	reply.line = line;
	reply.n_line = n;
	client_reply(client, &reply);
	return 0;
}

void verb_line(struct client *client, const char *fmt, ...)
{
	char text[512], *line = text;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	verb_lines(client, &line, 1);
}

void verb_end(struct client *client)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;

	client_reply_last(client, &reply);
}

/* ---- list, show -------------------------------------------------------------------------------------------------- */

/* What standbys touch is known of launches since the daemon started, what is stored first of the launches from disk. */
static void fill_working_set(const struct entry *entry, Warm__Rpc__Snapshot *msg)
{
	uint64_t touched;

	if (!entry)
		return;
	touched = working_set_bytes(&entry->pool.working_set);
	msg->learnt_launches = entry->record->learnt_launches;
	msg->learnt_bytes = entry->record->learnt_pages * PAGE;
	msg->last_faults = entry->learning.last_faults;
	msg->huge_pages = template_huge(entry->pool.tmpl);
	msg->working_set_bytes = touched > msg->learnt_bytes ? touched : msg->learnt_bytes;
}

/* The numbers of a row, with what only memory knows. The strings are the row's, and pool. */
static void fill_snapshot(struct daemon *daemon, const struct catalog_row *row, char pool[POOL_WORDS_MAX],
                          Warm__Rpc__Snapshot *msg)
{
	struct entry *entry = verb_entry(daemon, row->id);

	warm__rpc__snapshot__init(msg);
	msg->id = (char *)row->id;
	msg->name = row->name;
	msg->state = (char *)catalog_state_name(row->state);
	msg->command = row->command;
	msg->n_command = row->n_command;
	msg->uid = row->uid;
	msg->created = row->created;
	msg->last_used = entry ? entry->last_used : row->last_used;
	msg->hits = row->hits + (entry ? entry->new_hits : 0);
	msg->processes = row->processes;
	msg->threads = row->threads;
	msg->rss_bytes = row->rss_bytes;
	msg->stored_bytes = row->stored_bytes;
	pool[0] = '\0';
	if (entry && entry->state == ENTRY_PUBLISHED) {
		struct pool_wish wish = pool_wish(entry);

		pool_words(&wish, pool, POOL_WORDS_MAX);
		msg->standbys_wanted = wish.standbys;
	}
	msg->pool = pool;
	msg->standbys = entry ? pool_figures(entry).standbys : 0;
	fill_working_set(entry, msg);
	msg->reason = row->reason ? row->reason : (char *)"";
}

static int send_snapshot(void *arg, const struct catalog_row *row)
{
	struct client *client = arg;
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Snapshot msg, *list = &msg;
	char pool[POOL_WORDS_MAX];

	fill_snapshot(client->daemon, row, pool, &msg);
	reply.snapshot = &list;
	reply.n_snapshot = 1;
	client_reply(client, &reply);
	return 0;
}

void verb_list(struct client *client)
{
	struct err err;

	if (catalog_list(client->daemon->catalog, visible_uid(client), send_snapshot, client, &err) < 0)
		client_fail(client, err.code, "%s", err.msg);
	else
		verb_end(client);
}

/* Files go out in several messages: a snapshot of thousands does not fit into one. */
#define FILES_A_MESSAGE 256

static void send_files(struct client *client, const Warm__Rpc__Record *record, const Warm__Rpc__Snapshot *head)
{
	const Warm__Rpc__Conditions *conditions = record->conditions;

	for (size_t i = FILES_A_MESSAGE; i < conditions->n_file; i += FILES_A_MESSAGE) {
		Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
		Warm__Rpc__Snapshot msg = WARM__RPC__SNAPSHOT__INIT, *list = &msg;
		size_t left = conditions->n_file - i;

		msg.id = head->id;
		msg.file = conditions->file + i;
		msg.n_file = left < FILES_A_MESSAGE ? left : FILES_A_MESSAGE;
		reply.snapshot = &list;
		reply.n_snapshot = 1;
		client_reply(client, &reply);
	}
}

static void show_record(struct client *client, const struct catalog_row *row, const Warm__Rpc__Record *record)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Snapshot msg, *list = &msg;
	const Warm__Rpc__Conditions *conditions = record->conditions;
	char pool[POOL_WORDS_MAX];

	fill_snapshot(client->daemon, row, pool, &msg);
	msg.file = conditions->file;
	msg.n_file = conditions->n_file < FILES_A_MESSAGE ? conditions->n_file : FILES_A_MESSAGE;
	msg.descriptor = record->summary->descriptor;
	msg.n_descriptor = record->summary->n_descriptor;
	msg.cpu = conditions->cpu;
	msg.kernel = conditions->kernel;
	msg.not_recorded = record->not_recorded;
	msg.n_not_recorded = record->n_not_recorded;
	msg.stopped_us = record->summary->stopped_us;
	msg.stopped_reason = record->summary->stopped_reason;
	reply.snapshot = &list;
	reply.n_snapshot = 1;
	client_reply(client, &reply);
	send_files(client, record, &msg);
	verb_end(client);
}

void verb_show(struct client *client, const char *key)
{
	struct catalog_row row;
	Warm__Rpc__Record *record = NULL;
	struct entry *entry;
	struct err err;

	if (verb_find(client, key, &row, &err)) {
		client_fail(client, err.code, "%s", err.msg);
		return;
	}
	entry = verb_entry(client->daemon, row.id);
	if (!entry && entry_read_record(client->daemon, row.id, &record, &err))
		client_fail(client, err.code, "%s", err.msg);
	else
		show_record(client, &row, entry ? entry->record : record);
	if (record)
		warm__rpc__record__free_unpacked(record, NULL);
	catalog_row_fini(&row);
}

/* ---- rm ---------------------------------------------------------------------------------------------------------- */

static int remove_one(struct client *client, const char *key, struct err *err)
{
	struct daemon *daemon = client->daemon;
	struct catalog_row row;
	struct entry *entry;
	int r = verb_find(client, key, &row, err);

	if (r)
		return r;
	entry = verb_entry(daemon, row.id);
	if (entry) {
		entry_retire(entry, "it was removed by `warm rm`");
	} else {
		r = store_delete_image(daemon->store, row.id, err);
		if (r >= 0)
			r = catalog_delete(daemon->catalog, row.id, err);
	}
	if (r >= 0)
		verb_line(client, "%s", row.id);
	catalog_row_fini(&row);
	return r < 0 ? r : 0;
}

void verb_remove(struct client *client, char *const *key, size_t n)
{
	struct err err, first = {0};

	for (size_t i = 0; i < n; i++) {
		if (remove_one(client, key[i], &err) && !first.code)
			first = err;
	}
	if (first.code)
		client_fail(client, first.code, "%s", first.msg);
	else
		verb_end(client);
}

/* ---- gc ---------------------------------------------------------------------------------------------------------- */

struct known {
	struct daemon *daemon;
	char (*id)[ID_LEN + 1];
	size_t n, room;
};

static int known_add(void *arg, const struct catalog_row *row)
{
	struct known *known = arg;

	if (known->n == known->room) {
		size_t room = known->room ? 2 * known->room : 64;
		void *more = realloc(known->id, room * sizeof(*known->id));

		if (!more)
			return -ENOMEM;
		known->id = more;
		known->room = room;
	}
	memcpy(known->id[known->n++], row->id, sizeof(row->id));
	return 0;
}

static bool known_keep(void *arg, const char *id)
{
	const struct known *known = arg;

	for (size_t i = 0; i < known->n; i++) {
		if (!strcmp(known->id[i], id))
			return true;
	}
	return verb_entry(known->daemon, id) || snap_job_storing(known->daemon, id);
}

/* Rows whose image has gone. */
static unsigned drop_rows(struct known *known)
{
	unsigned n = 0;
	struct err err;

	for (size_t i = 0; i < known->n; i++) {
		CLEAN(fd) int fd = -1;
		struct entry *entry;

		if (store_open_image(known->daemon->store, known->id[i], &fd, &err) != STORE_GONE)
			continue;
		entry = verb_entry(known->daemon, known->id[i]);
		if (entry)
			entry_retire(entry, "its image is gone");
		else
			catalog_delete(known->daemon->catalog, known->id[i], &err);
		n++;
	}
	return n;
}

void verb_gc(struct client *client)
{
	struct daemon *daemon = client->daemon;
	struct known known = {.daemon = daemon};
	struct store_swept swept = {0};
	struct err err;

	if (client->peer.uid != geteuid()) {
		client_fail(client, EPERM, "gc is for the user that warmd runs as");
		return;
	}
	if (catalog_list(daemon->catalog, CATALOG_ANY_UID, known_add, &known, &err) < 0 ||
	    store_sweep(daemon->store, known_keep, &known, &swept, &err) < 0) {
		client_fail(client, err.code, "%s", err.msg);
	} else {
		verb_line(client, "%u rows without an image, %u files without a row (%llu KiB) removed",
		          drop_rows(&known), swept.files, (unsigned long long)(swept.bytes >> 10));
		verb_end(client);
	}
	free(known.id);
}

/* ---- pool -------------------------------------------------------------------------------------------------------- */

static int pool_line(void *arg, const struct catalog_row *row)
{
	struct client *client = arg;
	const struct entry *entry = verb_entry(client->daemon, row->id);
	struct pool_figures figures;
	char words[POOL_WORDS_MAX];
	struct pool_wish wish;

	if (!entry || entry->state != ENTRY_PUBLISHED)
		return 0;
	figures = pool_figures(entry);
	wish = pool_wish(entry);
	pool_words(&wish, words, sizeof(words));
	verb_line(client, "%s  %u of %u standbys  %u template  %llu KiB  %s  (%s)", row->id, figures.standbys,
	          wish.standbys, figures.templates,
	          (unsigned long long)((figures.template_bytes + figures.standby_bytes) >> 10),
	          row->n_command ? row->command[0] : "", words);
	return 0;
}

void verb_pool(struct client *client, const char *key, int32_t standbys)
{
	struct catalog_row row;
	struct entry *entry;
	struct err err;

	if (!*key) {
		catalog_list(client->daemon->catalog, visible_uid(client), pool_line, client, &err);
		verb_end(client);
		return;
	}
	if (verb_find(client, key, &row, &err)) {
		client_fail(client, err.code, "%s", err.msg);
		return;
	}
	entry = verb_entry(client->daemon, row.id);
	if (!entry || entry->state != ENTRY_PUBLISHED) {
		client_fail(client, EINVAL, "snapshot %s is quarantined: it has no pool", row.id);
	} else {
		if (standbys >= 0) {
			entry->pool.history.pinned = standbys + 1;
			pool_refill_soon(entry);
		}
		pool_line(client, &row);
		verb_end(client);
	}
	catalog_row_fini(&row);
}
