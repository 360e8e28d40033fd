/* SPDX-License-Identifier: MIT */
#include "warmd/learning.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/proc.h"
#include "cache/catalog.h"
#include "cache/store.h"
#include "policy/learn.h"
#include "proto/pager.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/loader.h"
#include "warmd/log.h"
#include "warmd/pool.h"
#include "warmd/worker.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_S        (PAGER_RECORD_MS / 1000.0 + 0.2)
#define LOOK_S          0.002
#define STORE_TIMEOUT_S 600

static void forget_log(struct learning *learning)
{
	clean_fd(&learning->log_fd);
	learning->log_fd = -1;
}

static void look_no_more(struct entry *entry)
{
	ev_timer_stop(entry->daemon->loop, &entry->learning.look);
	clean_fd(&entry->learning.proc_fd);
	entry->learning.proc_fd = -1;
}

static uint64_t log_bytes(const struct learning *learning)
{
	struct stat st;

	return fstat(learning->log_fd, &st) ? 0 : (uint64_t)st.st_size;
}

/* ---- storing anew ------------------------------------------------------------------------------------------------ */

static void stored(struct entry *entry, uint64_t bytes)
{
	Warm__Rpc__Record *record;
	struct err err;

	if (store_replace_image(entry->daemon->store, entry->id, &err) ||
	    entry_read_record(entry->daemon, entry->id, &record, &err)) {
		log_line("snapshot %s does not learn: %s", entry->id, err.msg);
		return;
	}
	entry->record->learnt_launches = record->learnt_launches;
	entry->record->learnt_pages = record->learnt_pages;
	warm__rpc__record__free_unpacked(record, NULL);
	entry->stored_bytes = bytes;
	pool_remake(entry);
	if (catalog_update_stored(entry->daemon->catalog, entry->id, bytes, &err) < 0)
		log_line("snapshot %s: %s", entry->id, err.msg);
}

static void learnt(void *arg, const struct report *report)
{
	struct entry *entry = arg;
	char reason[ERR_MSG_MAX];

	if (report->kind == REPORT_PROGRESS)
		return;
	if (report->kind == REPORT_STORED) {
		stored(entry, (uint64_t)report->value);
	} else {
		worker_reason(report, reason, sizeof(reason));
		log_line("snapshot %s does not learn: %s", entry->id, reason);
	}
	worker_free(entry->learning.worker);
	entry->learning.worker = NULL;
	forget_log(&entry->learning);
}

static int store_anew(struct entry *entry, struct err *err)
{
	char name[STORE_NAME_MAX];
	CLEAN(fd) int image_fd = -1;
	const char *const argv[] = {"warm-store", "learn", "--report", "3",
	                            "--image",    "4",     "--log",    "5",
	                            "--dir",      "6",     "--name",   store_image_name(entry->id, name),
	                            NULL};
	int fds[] = {-1, -1, entry->learning.log_fd, store_dir_fd(entry->daemon->store)};
	const struct worker_spec spec = {.program = SPAWN_STORE,
	                                 .argv = argv,
	                                 .fds = fds,
	                                 .n_fds = 4,
	                                 .timeout_s = STORE_TIMEOUT_S,
	                                 .cb = learnt,
	                                 .arg = entry};
	int r = store_open_image(entry->daemon->store, entry->id, &image_fd, err);

	if (r == STORE_GONE)
		return err_set(err, ENOENT, "its image is gone");
	if (r)
		return r;
	fds[1] = image_fd;
	entry->learning.worker = worker_start(entry->daemon, &spec, err);
	return entry->learning.worker ? 0 : -err->code;
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

static void due(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct entry *entry = timer->data;
	struct learning *learning = &entry->learning;
	struct err err;

	(void)loop;
	(void)revents;
	look_no_more(entry);
	learning->n_launches++;
	learning->last_faults = log_bytes(learning) / sizeof(struct pager_served);
	if (entry->state == ENTRY_PUBLISHED && learn_is_worth(learning->last_faults, entry->record->learnt_pages)) {
		if (!store_anew(entry, &err))
			return;
		log_line("snapshot %s does not learn: %s", entry->id, err.msg);
	}
	forget_log(learning);
}

/* The list of a program that has ended: up to its last word, or the first half of one that said nothing. */
static void cut(struct learning *learning)
{
	uint64_t pages = log_bytes(learning) / sizeof(struct pager_served) / 2;

	if (ftruncate(learning->log_fd, (off_t)(learning->said ? learning->said : pages * sizeof(struct pager_served))))
		forget_log(learning);
}

static void look(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct entry *entry = timer->data;
	struct learning *learning = &entry->learning;
	uint64_t n = 0;
	int r = proc_n_writes(learning->proc_fd, &n);

	if (r == 0 && n == learning->n_writes)
		return;
	if (r == 0) {
		learning->n_writes = n;
		learning->said = log_bytes(learning);
		return;
	}
	look_no_more(entry);
	ev_timer_stop(loop, &learning->due);
	cut(learning);
	if (learning->log_fd >= 0)
		due(loop, &learning->due, revents);
}

void learning_launched(struct entry *entry, pid_t pid)
{
	struct learning *learning = &entry->learning;

	if (learning->log_fd < 0 || learning->proc_fd >= 0 || !ev_is_active(&learning->due) || pid <= 0)
		return;
	learning->proc_fd = proc_open(pid);
	learning->said = 0;
	if (learning->proc_fd < 0 || proc_n_writes(learning->proc_fd, &learning->n_writes) < 0)
		look_no_more(entry);
	else
		ev_timer_again(entry->daemon->loop, &learning->look);
}

bool learning_wants(const struct entry *entry)
{
	const struct learning *learning = &entry->learning;

	return learning->log_fd < 0 && learn_first(learning->n_launches, entry->record->summary->pages) &&
	       loaders_record(entry->daemon->loaders);
}

int learning_begin(struct entry *entry)
{
	struct learning *learning = &entry->learning;

	if (entry->state != ENTRY_PUBLISHED || learning->log_fd >= 0 || !learn_more(learning->n_launches))
		return -1;
	learning->log_fd = memfd_create("pages of a launch", MFD_CLOEXEC);
	if (learning->log_fd >= 0) {
		ev_timer_set(&learning->due, LISTEN_S, 0);
		ev_timer_start(entry->daemon->loop, &learning->due);
	}
	return learning->log_fd;
}

void learning_init(struct entry *entry)
{
	entry->learning = (struct learning){.log_fd = -1, .proc_fd = -1, .n_launches = entry->record->learnt_launches};
	ev_timer_init(&entry->learning.due, due, LISTEN_S, 0);
	ev_timer_init(&entry->learning.look, look, LOOK_S, LOOK_S);
	entry->learning.due.data = entry->learning.look.data = entry;
}

void learning_fini(struct entry *entry)
{
	ev_timer_stop(entry->daemon->loop, &entry->learning.due);
	look_no_more(entry);
	worker_free(entry->learning.worker);
	entry->learning.worker = NULL;
	forget_log(&entry->learning);
}
