/* SPDX-License-Identifier: MIT */
/*
 * Verbs that a worker answers: `plan` and `verify`.
 *
 *     plan:    STARTED ─ lines ─► ended
 *     verify:  STARTED ─ one worker an image, one line each ─► ended
 */
#include "base/clean.h"
#include "base/err.h"
#include "cache/catalog.h"
#include "cache/store.h"
#include "proto/launch.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/verb_job.h"
#include "warmd/verbs.h"
#include "warmd/verbs_internal.h"
#include "warmd/words.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_TIMEOUT_S 600
#define VERIFY_MAX       1024

struct verb_job *verb_job_new(struct client *client)
{
	struct verb_job *job = calloc(1, sizeof(*job));

	if (!job) {
		client_fail(client, ENOMEM, "out of memory");
		return NULL;
	}
	job->daemon = client->daemon;
	job->client = client;
	client->verb_job = job;
	return job;
}

void verb_job_free(struct verb_job *job)
{
	job->client->verb_job = NULL;
	worker_free(job->worker);
	free(job->id);
	free(job);
}

void verb_client_gone(struct verb_job *job)
{
	plan_reader_free(job->reader);
	verb_job_free(job);
}

/* ---- plan -------------------------------------------------------------------------------------------------------- */

static void plan_line(void *arg, const char *line, unsigned n_lines)
{
	struct verb_job *job = arg;
	struct client *client = job->client;

	if (line) {
		verb_lines(client, (char *[]){(char *)line}, 1);
		return;
	}
	verb_job_free(job);
	if (n_lines)
		verb_end(client);
	else
		client_fail(client, EIO, "warm-restore printed no plan: it crashed, or does not know this image");
}

void verb_plan(struct client *client, const char *key)
{
	struct catalog_row row;
	struct verb_job *job;
	struct err err;

	if (verb_find(client, key, &row, &err)) {
		client_fail(client, err.code, "%s", err.msg);
		return;
	}
	job = verb_job_new(client);
	if (job)
		job->reader = plan_read(client->daemon, row.id, PLAN_TEMPLATE, plan_line, job, &err);
	if (job && !job->reader) {
		verb_job_free(job);
		client_fail(client, err.code, "%s", err.msg);
	}
	catalog_row_fini(&row);
}

/* ---- verify ------------------------------------------------------------------------------------------------------ */

static void verify_next(struct verb_job *job);

static void verify_bad(struct verb_job *job, const char *id, const char *reason)
{
	struct entry *entry = verb_entry(job->daemon, id);
	struct err err;

	job->n_bad++;
	verb_line(job->client, "%s  damaged: %s", id, reason);
	if (entry && entry->state == ENTRY_PUBLISHED)
		entry_quarantine(entry, reason);
	else if (!entry)
		catalog_update_state(job->daemon->catalog, id, CATALOG_QUARANTINED, reason, &err);
}

static void verify_report(void *arg, const struct report *report)
{
	struct verb_job *job = arg;
	char reason[ERR_MSG_MAX];

	if (report->kind == REPORT_PROGRESS)
		return;
	worker_free(job->worker);
	job->worker = NULL;
	if (report->kind == REPORT_DONE) {
		verb_line(job->client, "%s  good", job->id[job->next]);
	} else {
		worker_reason(report, reason, sizeof(reason));
		verify_bad(job, job->id[job->next], reason);
	}
	job->next++;
	verify_next(job);
}

static int verify_start(struct verb_job *job, const char *id, struct err *err)
{
	const char *const argv[] = {"warm-store", "verify", "--report", "3", "--image", "4", "--label", id, NULL};
	CLEAN(fd) int image_fd = -1;
	int r = store_open_image(job->daemon->store, id, &image_fd, err);

	if (r == STORE_GONE)
		return err_set(err, ENOENT, "its image is gone");
	if (r)
		return r;
	const struct worker_spec spec = {.program = SPAWN_STORE,
	                                 .argv = argv,
	                                 .fds = (int[]){-1, image_fd},
	                                 .n_fds = 2,
	                                 .timeout_s = VERIFY_TIMEOUT_S,
	                                 .cb = verify_report,
	                                 .arg = job};

	job->worker = worker_start(job->daemon, &spec, err);
	return job->worker ? 0 : -err->code;
}

static void verify_next(struct verb_job *job)
{
	struct client *client = job->client;
	unsigned n_bad;
	struct err err;

	for (; job->next < job->n_id; job->next++) {
		if (!verify_start(job, job->id[job->next], &err))
			return;
		verify_bad(job, job->id[job->next], err.msg);
	}
	n_bad = job->n_bad;
	verb_job_free(job);
	if (n_bad)
		client_fail(client, EBADMSG, "%u damaged: they are quarantined, `warm rm` them", n_bad);
	else
		verb_end(client);
}

static int verify_add(void *arg, const struct catalog_row *row)
{
	struct verb_job *job = arg;

	if (job->n_id < VERIFY_MAX)
		memcpy(job->id[job->n_id++], row->id, sizeof(row->id));
	return 0;
}

static int verify_gather(struct verb_job *job, char *const *key, size_t n, struct err *err)
{
	struct client *client = job->client;
	uint32_t uid = client->peer.uid == 0 ? CATALOG_ANY_UID : client->peer.uid;

	job->id = calloc(VERIFY_MAX, sizeof(*job->id));
	if (!job->id)
		return err_set(err, ENOMEM, "out of memory");
	if (!n)
		return catalog_list(client->daemon->catalog, uid, verify_add, job, err);
	for (size_t i = 0; i < n; i++) {
		struct catalog_row row;
		int r = verb_find(client, key[i], &row, err);

		if (r)
			return r;
		verify_add(job, &row);
		catalog_row_fini(&row);
	}
	return 0;
}

void verb_verify(struct client *client, char *const *key, size_t n)
{
	struct verb_job *job = verb_job_new(client);
	struct err err;

	if (!job)
		return;
	if (verify_gather(job, key, n, &err) < 0) {
		verb_job_free(job);
		client_fail(client, err.code, "%s", err.msg);
		return;
	}
	verify_next(job);
}
