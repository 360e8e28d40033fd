/* SPDX-License-Identifier: MIT */
#include "cache/adopt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clean.h"
#include "base/err.h"
#include "cache/catalog.h"
#include "cache/pack.h"
#include "cache/store.h"
#include "proto/rpc.pb-c.h"

struct adopter {
	struct catalog *catalog;
	struct store *store;
	struct adopted *adopted;
	void (*log)(void *arg, const char *line);
	void *log_arg;
	struct err *err;
};

static int read_record(struct store *store, const char *id, Warm__Rpc__Record **ret_record, struct err *err)
{
	CLEAN(fd) int fd = -1;
	CLEAN(free) uint8_t *data = NULL;
	struct pack *pack = NULL;
	size_t len = 0;
	int ret = store_open_image(store, id, &fd, err);

	if (ret != 0)
		return ret;
	ret = pack_open(fd, id, &pack, err);
	if (ret < 0)
		return ret;
	ret = pack_section(pack, PACK_RECORD, &data, &len, err);
	pack_close(pack);
	if (ret < 0)
		return ret;
	*ret_record = warm__rpc__record__unpack(NULL, len, data);
	if (!*ret_record)
		return err_set(err, EBADMSG, "image %s: its record is not readable; `warm rm` it", id);
	if (strcmp((*ret_record)->id, id) != 0) {
		ret = err_set(err, EBADMSG, "image %s: it was made as %.40s; `warm rm` it", id, (*ret_record)->id);
		warm__rpc__record__free_unpacked(*ret_record, NULL);
		return ret;
	}
	return 0;
}

/* Arguments are bytes without NUL; of one that is not, what comes before the NUL is good enough to be shown. */
static char **copy_command(const Warm__Rpc__Conditions *conditions)
{
	char **command = calloc(conditions->n_argv + 1, sizeof(*command));

	for (size_t i = 0; command && i < conditions->n_argv; i++)
		command[i] = strndup((const char *)conditions->argv[i].data, conditions->argv[i].len);
	return command;
}

static int file_record(struct adopter *adopter, const Warm__Rpc__Record *record, struct catalog_row *row)
{
	int ret;

	row->state = CATALOG_PUBLISHED;
	row->name = record->name;
	row->created = record->created;
	row->last_used = record->created;
	if (record->conditions) {
		row->uid = record->conditions->uid;
		row->command = copy_command(record->conditions);
		row->n_command = row->command ? record->conditions->n_argv : 0;
	}
	if (record->summary) {
		row->processes = record->summary->processes;
		row->threads = record->summary->threads;
		row->rss_bytes = record->summary->rss_bytes;
	}
	ret = catalog_insert(adopter->catalog, row, adopter->err);
	for (size_t i = 0; i < row->n_command; i++)
		free(row->command[i]);
	free(row->command);
	return ret;
}

/* One that cannot be read is filed all the same: who looks for it learns why, and `warm rm` can name it. */
static int adopt_image(void *arg, const char *id, const struct stat *st)
{
	struct adopter *adopter = arg;
	struct catalog_row row;
	Warm__Rpc__Record *record = NULL;
	struct err why = {0};
	int ret = catalog_find(adopter->catalog, id, CATALOG_ANY_UID, &row, adopter->err);

	if (ret < 0)
		return ret;
	if (ret == 0) {
		bool filed = strcmp(row.id, id) == 0; /* else it has this id for a name */

		catalog_row_fini(&row);
		if (filed)
			return 0;
	}

	memset(&row, 0, sizeof(row));
	snprintf(row.id, sizeof(row.id), "%s", id);
	row.stored_bytes = (uint64_t)st->st_size;
	ret = read_record(adopter->store, id, &record, &why);
	if (ret == STORE_GONE)
		return 0;
	if (ret == 0) {
		ret = file_record(adopter, record, &row);
		warm__rpc__record__free_unpacked(record, NULL);
		adopter->adopted->filed += ret == 0;
		return ret;
	}
	row.state = CATALOG_QUARANTINED;
	row.reason = why.msg;
	row.uid = st->st_uid;
	row.created = row.last_used = (uint64_t)st->st_mtime;
	if (adopter->log)
		adopter->log(adopter->log_arg, why.msg);
	adopter->adopted->unreadable++;
	return catalog_insert(adopter->catalog, &row, adopter->err);
}

int adopt_images(struct catalog *catalog, struct store *store, void (*log)(void *arg, const char *line), void *arg,
                 struct adopted *adopted, struct err *err)
{
	struct adopter adopter = {
	        .catalog = catalog, .store = store, .adopted = adopted, .log = log, .log_arg = arg, .err = err};

	return store_each(store, adopt_image, &adopter, err);
}
