/* SPDX-License-Identifier: MIT */
#include "warmd/trial.h"

#include "base/clean.h"
#include "base/err.h"
#include "cache/store.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/standby.h"
#include "warmd/words.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TRIAL_TIMEOUT_S 120

struct trial {
	struct entry *entry;
	struct standby *standby;
	struct worker *worker;
	struct words *words;
	char reason[ERR_MSG_MAX];
	trial_cb *cb;
	void *arg;
};

static void trial_words(void *arg, const char *text)
{
	struct trial *trial = arg;

	trial->words = NULL;
	trial->cb(trial->arg, text ? text : trial->reason);
}

static void trial_report(void *arg, const struct report *report)
{
	struct trial *trial = arg;

	if (report->kind == REPORT_DONE) {
		trial->cb(trial->arg, NULL);
		return;
	}
	if (report->kind != REPORT_FAILED)
		return;
	worker_reason(report, trial->reason, sizeof(trial->reason));
	if (report->op >= 0 && !report->text[0])
		trial->words = words_fetch(trial->entry->daemon, trial->entry->id, PLAN_TEMPLATE, report->op,
		                           report->err, trial_words, trial);
	if (!trial->words)
		trial->cb(trial->arg, trial->reason);
}

static int start_worker(struct trial *trial, struct err *err)
{
	const struct entry *entry = trial->entry;
	const uint32_t *kind = entry->record->conditions->stdio_kind;
	CLEAN(fd) int image_fd = -1;
	char pid[16], stdio[40];
	int r = store_open_image(entry->daemon->store, entry->id, &image_fd, err);

	if (r == STORE_GONE)
		return err_set(err, ENOENT, "image %s is gone", entry->id);
	if (r)
		return r;
	snprintf(pid, sizeof(pid), "%d", trial->standby->pid);
	snprintf(stdio, sizeof(stdio), "%u,%u,%u", kind[0], kind[1], kind[2]);
	const char *const argv[] = {"warm-snap", "--pid", pid,       "--report", "3",       "--image", "4",
	                            "--trial",   "5",     "--stdio", stdio,      "--label", entry->id, NULL};
	const int fds[] = {-1, image_fd, trial->standby->go_fd};
	const struct worker_spec spec = {.program = SPAWN_SNAP,
	                                 .argv = argv,
	                                 .fds = fds,
	                                 .n_fds = 3,
	                                 .timeout_s = TRIAL_TIMEOUT_S,
	                                 .cb = trial_report,
	                                 .arg = trial};

	trial->worker = worker_start(entry->daemon, &spec, err);
	return trial->worker ? 0 : -err->code;
}

struct trial *trial_start(struct entry *entry, struct standby *standby, trial_cb *cb, void *arg, struct err *err)
{
	struct trial *trial = calloc(1, sizeof(*trial));

	if (!trial) {
		standby_free(standby);
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	trial->entry = entry;
	trial->standby = standby;
	trial->cb = cb;
	trial->arg = arg;
	standby_lend(standby);
	if (entry->record->conditions->n_stdio_kind != 3)
		err_set(err, EBADMSG, "the kinds of standard streams are not known");
	else if (standby->pid <= 0)
		err_set(err, ESRCH, "the standby's process is not known");
	else if (start_worker(trial, err) == 0)
		return trial;
	trial_free(trial);
	return NULL;
}

void trial_free(struct trial *trial)
{
	if (!trial)
		return;
	words_forget(trial->words);
	worker_free(trial->worker);
	standby_free(trial->standby);
	free(trial);
}
