/* SPDX-License-Identifier: MIT */
#include "warmd/snap_job.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/id.h"
#include "cache/store.h"
#include "proto/launch.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/first_run.h"
#include "warmd/log.h"
#include "warmd/pool.h"
#include "warmd/prewarm.h"
#include "warmd/record.h"
#include "warmd/recording.h"
#include "warmd/retired.h"
#include "warmd/trial.h"
#include "warmd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SNAP_TIMEOUT_S  120
#define STORE_TIMEOUT_S 600
#define SUMMARY_MAX     (64u << 20)
#define N_SNAP_ARGS     21 /* of warm-snap, before those of the launch's descriptors */

#define NOT_LAUNCHED "not started by `warm exec`, by one that did not miss, or with another --ready"
#define EXECUTED     "the program of this name has executed another one"

_Static_assert(N_SNAP_ARGS + LAUNCH_FDS_MAX + CONFIG_PLUGIN_ARGS <= SPAWN_ARGS_MAX,
               "warm-snap's command line must fit");

enum snap_state { SNAP_ASKED, SNAP_ADMITTED, SNAP_TAKING, SNAP_STORING, SNAP_TRIAL, SNAP_PUBLISHED, SNAP_REFUSED };

struct snap_job {
	LIST_ENTRY(snap_job) link;
	struct daemon *daemon;
	struct client *client;
	enum snap_state state;
	char id[ID_LEN + 1];
	struct first_run *run;
	Warm__Rpc__Ready *ready;
	Warm__Rpc__Conditions *conditions; /* until the record has them */
	Warm__Rpc__Depends **depends;
	size_t n_depends;
	int meta_fd, summary_fd, pages_fd;
	struct worker *worker;
	bool asked;                /* by `warm snapshot`: the client waits for the end */
	bool stop;                 /* ... and the process is to end with it */
	struct worker *holder;     /* the warm-snap that keeps it frozen until then */
	bool captured;             /* the image is there */
	bool listing;              /* warm-opened has been asked, and has not answered */
	Warm__Rpc__Opened *opened; /* until the record has it */
	Warm__Rpc__Record *record; /* until the entry has it */
	struct entry *entry;
	struct trial *trial;
};

static void snap_job_move(struct snap_job *job, enum snap_state to)
{
	if (to != SNAP_REFUSED && to != job->state + 1)
		log_line("a snapshot moves from state %d to %d: this is a bug in warmd", job->state, to);
	job->state = to;
}

static void snap_job_free(struct snap_job *job)
{
	worker_free(job->worker);
	worker_free(job->holder); /* without a last word: the process runs on */
	if (job->listing)
		recording_wait(job->run->recording, NULL, NULL);
	trial_free(job->trial);
	first_run_free(job->run);
	if (job->ready)
		warm__rpc__ready__free_unpacked(job->ready, NULL);
	if (job->conditions)
		warm__rpc__conditions__free_unpacked(job->conditions, NULL);
	for (size_t i = 0; i < job->n_depends; i++)
		warm__rpc__depends__free_unpacked(job->depends[i], NULL);
	free(job->depends);
	clean_fd(&job->meta_fd);
	clean_fd(&job->summary_fd);
	clean_fd(&job->pages_fd);
	if (job->opened)
		warm__rpc__opened__free_unpacked(job->opened, NULL);
	if (job->record)
		warm__rpc__record__free_unpacked(job->record, NULL);
	if (job->entry)
		job->entry->trial = NULL;
	LIST_REMOVE(job, link);
	free(job);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static void hook_answer(struct client *client, Warm__Rpc__Outcome outcome, const char *reason)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Hook hook = WARM__RPC__HOOK__INIT;

	hook.outcome = outcome;
	hook.reason = (char *)reason;
	reply.hook = &hook;
	client->snap_job = NULL;
	client_reply_last(client, &reply);
}

static void snap_job_answer(struct snap_job *job, Warm__Rpc__Outcome outcome, const char *reason)
{
	struct client *client = job->client;

	if (!client || (job->asked && outcome == WARM__RPC__OUTCOME__RESUMED))
		return;
	job->client = NULL;
	if (!job->asked) {
		hook_answer(client, outcome, reason);
		return;
	}
	client->snap_job = NULL;
	client_fail(client, ECANCELED, "no snapshot of process %d: %s", job->run->pid, reason);
}

static void answer_id(struct snap_job *job)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	char *line = job->id;

	if (!job->client)
		return;
	reply.line = &line;
	reply.n_line = 1;
	job->client->snap_job = NULL;
	client_reply_last(take_ptr(job->client), &reply);
}

/* Whoever asks the next launch why it is cold hears it, too. */
static void note_refusal(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason)
{
	char text[ERR_MSG_MAX];

	snprintf(text, sizeof(text), "it could not be taken: %.200s", reason);
	retired_note(daemon, conditions, text);
}

/* What fails its trial is kept with its reason anyway. */
static void snap_job_note(struct snap_job *job, const char *reason)
{
	const Warm__Rpc__Conditions *conditions = job->record ? job->record->conditions : job->conditions;

	if (conditions && (job->state == SNAP_TAKING || job->state == SNAP_STORING))
		note_refusal(job->daemon, conditions, reason);
}

/* The job is gone on return. */
static void snap_job_refuse(struct snap_job *job, const char *reason)
{
	snap_job_note(job, reason);
	snap_job_move(job, SNAP_REFUSED);
	log_line("no snapshot %s: %s", job->id, reason);
	snap_job_answer(job, WARM__RPC__OUTCOME__COLD, reason);
	snap_job_free(job);
}

void snap_job_client_gone(struct snap_job *job)
{
	job->client->snap_job = NULL;
	job->client = NULL;
	if (job->state == SNAP_PUBLISHED)
		return; /* the last word has been said */
	worker_free(job->holder);
	job->holder = NULL;
}

bool snap_job_storing(struct daemon *daemon, const char *id)
{
	struct snap_job *job;

	LIST_FOREACH(job, &daemon->snap_jobs, link)
	{
		if (!strcmp(job->id, id))
			return true;
	}
	return false;
}

/* ---- TRIAL ------------------------------------------------------------------------------------------------------- */

void snap_job_trial_failed(struct snap_job *job, const char *reason)
{
	struct entry *entry = job->entry;
	char text[ERR_MSG_MAX];

	entry->trial = NULL;
	job->entry = NULL;
	/* A file that changed under the trial is no flaw of the image: it goes, and the next launch may make another.
	 */
	if (entry_stale(entry, text, sizeof(text))) {
		snap_job_refuse(job, text);
		entry_retire(entry, text);
		return;
	}
	snprintf(text, sizeof(text), "trial restore: %.200s", reason);
	entry_quarantine(entry, text);
	snap_job_refuse(job, text);
}

static void snap_job_done(struct snap_job *job)
{
	answer_id(job);
	snap_job_free(job);
}

/* Its image is safe: the process must not run on from where it is frozen. */
static void snap_job_end_process(struct snap_job *job)
{
	const struct report last_word = {.magic = REPORT_MAGIC, .kind = REPORT_DONE};

	if (job->holder && !fd_send(worker_sock(job->holder), &last_word, sizeof(last_word), NULL, 0))
		return; /* it answers: held() */
	if (job->client) {
		job->client->snap_job = NULL;
		client_fail(take_ptr(job->client), ECHILD,
		            "snapshot %s is published, but the process runs on: warm-snap, which held it, was killed",
		            job->id);
	}
	snap_job_free(job);
}

static void held(struct snap_job *job, const struct report *report)
{
	if (report->kind == REPORT_DONE && job->state == SNAP_PUBLISHED) {
		snap_job_done(job);
		return;
	}
	worker_free(job->holder); /* killed: the process runs on */
	job->holder = NULL;
	if (job->state == SNAP_PUBLISHED)
		snap_job_end_process(job); /* which says so */
}

static void snap_job_publish(struct snap_job *job)
{
	struct entry *entry = job->entry;
	struct err err;

	trial_free(take_ptr(job->trial));
	entry->trial = NULL;
	job->entry = NULL;
	if (entry_publish(entry, &err)) {
		snap_job_refuse(job, err.msg);
		entry_retire(entry, err.msg);
		return;
	}
	snap_job_move(job, SNAP_PUBLISHED);
	log_line("snapshot %s of %s is published: %llu KiB", entry->id, entry->record->conditions->cmd,
	         (unsigned long long)(entry->stored_bytes >> 10));
	if (job->asked)
		entry_supersede(entry);
	if (job->stop)
		snap_job_end_process(job);
	else
		snap_job_done(job);
	pool_launched(entry); /* a launch is expected */
}

static void snap_job_tried(void *arg, const char *difference)
{
	if (difference)
		snap_job_trial_failed(arg, difference);
	else
		snap_job_publish(arg);
}

void snap_job_trial_parked(struct snap_job *job, struct standby *standby)
{
	struct err err;

	job->trial = trial_start(job->entry, standby, snap_job_tried, job, &err);
	if (!job->trial)
		snap_job_trial_failed(job, err.msg);
}

static void snap_job_try(struct snap_job *job, uint64_t stored_bytes)
{
	struct entry *entry = entry_new(job->daemon, job->record);

	if (!entry) {
		snap_job_refuse(job, "out of memory");
		return;
	}
	snap_job_move(job, SNAP_TRIAL);
	worker_free(job->worker);
	job->worker = NULL;
	job->record = NULL;
	job->entry = entry;
	entry->state = ENTRY_TRIAL;
	entry->stored_bytes = stored_bytes;
	entry->trial = job;
	pool_need(entry, 1); /* the job may be gone on return */
}

/* ---- STORING ----------------------------------------------------------------------------------------------------- */

static void stored(void *arg, const struct report *report)
{
	struct snap_job *job = arg;
	char reason[ERR_MSG_MAX];

	if (report->kind == REPORT_STORED) {
		snap_job_try(job, (uint64_t)report->value);
	} else if (report->kind == REPORT_FAILED) {
		worker_reason(report, reason, sizeof(reason));
		snap_job_refuse(job, reason);
	}
}

static int read_summary(struct snap_job *job, Warm__Rpc__Summary **ret, struct err *err)
{
	CLEAN(free) char *data = NULL;
	size_t len;
	int r;

	if (lseek(job->summary_fd, 0, SEEK_SET) || lseek(job->meta_fd, 0, SEEK_SET) ||
	    lseek(job->pages_fd, 0, SEEK_SET))
		return err_sys(err, errno, "read the summary");
	r = fd_read_all(job->summary_fd, SUMMARY_MAX, &data, &len);
	if (r)
		return err_sys(err, -r, "read the summary");
	*ret = warm__rpc__summary__unpack(NULL, len, (uint8_t *)data);
	return *ret ? 0 : err_set(err, EBADMSG, "warm-snap wrote a summary that nobody understands");
}

static int start_store(struct snap_job *job, struct err *err)
{
	char name[STORE_NAME_MAX];
	CLEAN(fd) int record_fd = -1;
	const char *const argv[] = {
	        "warm-store", "pack",    "--report", "3",     "--meta", "4",      "--record",
	        "5",          "--pages", "6",        "--dir", "7",      "--name", store_image_name(job->id, name),
	        NULL};
	int r = record_memfd(job->record, &record_fd, err);

	if (r)
		return r;
	const int fds[] = {-1, job->meta_fd, record_fd, job->pages_fd, store_dir_fd(job->daemon->store)};
	const struct worker_spec spec = {.program = SPAWN_STORE,
	                                 .argv = argv,
	                                 .fds = fds,
	                                 .n_fds = 5,
	                                 .timeout_s = STORE_TIMEOUT_S,
	                                 .cb = stored,
	                                 .arg = job};

	job->worker = worker_start(job->daemon, &spec, err);
	return job->worker ? 0 : -err->code;
}

static int snap_job_store(struct snap_job *job, struct err *err)
{
	Warm__Rpc__Summary *summary;
	Warm__Rpc__Conditions *conditions = job->conditions;
	int r = read_summary(job, &summary, err);

	if (r)
		return r;
	if (job->run->recording)
		r = recording_take(job->run->recording, &job->opened, err);
	if (r) {
		warm__rpc__summary__free_unpacked(summary, NULL);
		return r;
	}
	job->conditions = NULL;
	r = record_new(job->id, job->run, conditions, summary, job->depends, job->n_depends, job->opened, &job->record,
	               err);
	return r ? r : start_store(job, err);
}

/* ---- TAKING ------------------------------------------------------------------------------------------------------ */

/* The image and the list of opened files are there, or one of them has failed. */
static void snap_job_captured(struct snap_job *job)
{
	struct err err;

	if (!job->captured || job->listing)
		return;
	snap_job_move(job, SNAP_STORING);
	if (snap_job_store(job, &err))
		snap_job_refuse(job, err.msg);
}

static void listed(void *arg)
{
	struct snap_job *job = arg;

	job->listing = false;
	snap_job_answer(job, WARM__RPC__OUTCOME__RESUMED, "");
	snap_job_captured(job);
}

/* It runs again, and its memory is still being written. Its hook goes on when all is listed that it has opened so far:
 * what comes behind belongs to its own launch. */
static void released(struct snap_job *job)
{
	if (!job->run->recording) {
		snap_job_answer(job, WARM__RPC__OUTCOME__RESUMED, "");
		return;
	}
	job->listing = true;
	recording_list(job->run->recording, listed, job);
}

static void captured(void *arg, const struct report *report)
{
	struct snap_job *job = arg;
	char reason[ERR_MSG_MAX];

	if (job->holder) {
		held(job, report);
	} else if (report->kind == REPORT_FAILED) {
		worker_reason(report, reason, sizeof(reason));
		snap_job_refuse(job, reason);
	} else if (report->kind == REPORT_RELEASED) {
		released(job);
	} else if (report->kind == REPORT_CAPTURED) {
		if (job->stop && job->client) { /* with nobody waiting any more it is not ended behind their back */
			job->holder = take_ptr(job->worker);
			worker_no_timeout(job->holder);
		} else {
			worker_free(take_ptr(job->worker));
		}
		job->captured = true;
		snap_job_captured(job);
	}
}

static int start_snap(struct snap_job *job, struct err *err)
{
	char pid[16], hook_fd[16], owner[64], program[16 + DIGEST_HEX_SIZE], launch_fd[LAUNCH_FDS_MAX][80];
	const char *argv[SPAWN_ARGS_MAX + 1] = {"warm-snap", "--pid",   pid,      "--hook-fd", hook_fd,
	                                        "--report",  "3",       "--meta", "4",         "--summary",
	                                        "5",         "--pages", "6",      "--pidfd",   "7"};
	const Warm__Rpc__Conditions *conditions = job->conditions;
	size_t n_args = N_SNAP_ARGS - 6;
	const struct first_run *run = job->run;
	const int fds[] = {-1, job->meta_fd, job->summary_fd, job->pages_fd, run->pidfd};
	const struct worker_spec spec = {.program = SPAWN_SNAP,
	                                 .argv = argv,
	                                 .fds = fds,
	                                 .n_fds = 5,
	                                 .timeout_s = SNAP_TIMEOUT_S,
	                                 .cb = captured,
	                                 .arg = job};

	if (conditions->uid) {
		snprintf(owner, sizeof(owner), "--owner=%u:%u:%" PRIx64, conditions->uid, conditions->gid,
		         conditions->cap_permitted);
		argv[n_args++] = owner;
	}
	if (run->program[0]) {
		snprintf(program, sizeof(program), "--program=%s", run->program);
		argv[n_args++] = program;
	}
	if (conditions->net_private)
		argv[n_args++] = "--net-private";
	if (run->notify) {
		argv[n_args++] = "--notify";
		argv[n_args++] = run->notify;
	}
	if (job->stop)
		argv[n_args++] = "--hold";
	for (unsigned i = 0; i < run->n_fds; i++) {
		snprintf(launch_fd[i], sizeof(launch_fd[i]), "--launch-fd=%d:%" PRIu64 ":%" PRIu64, run->fd[i].number,
		         run->fd[i].dev, run->fd[i].ino);
		argv[n_args++] = launch_fd[i];
	}
	config_plugin_args(&job->daemon->config, argv + n_args);
	snprintf(pid, sizeof(pid), "%d", run->pid);
	snprintf(hook_fd, sizeof(hook_fd), "%d", job->ready ? (int)job->ready->hook_fd : -1);
	job->worker = worker_start(job->daemon, &spec, err);
	return job->worker ? 0 : -err->code;
}

static int snap_job_take(struct snap_job *job, struct err *err)
{
	job->meta_fd = memfd_create("warm-meta", MFD_CLOEXEC);
	job->summary_fd = memfd_create("warm-summary", MFD_CLOEXEC);
	job->pages_fd = memfd_create("warm-pages", MFD_CLOEXEC);
	if (job->meta_fd < 0 || job->summary_fd < 0 || job->pages_fd < 0)
		return err_sys(err, errno, "make room for the image");
	return start_snap(job, err);
}

/* ---- ASKED ------------------------------------------------------------------------------------------------------- */

static int check_new(struct daemon *daemon, const struct snap_job *job, const Warm__Rpc__Conditions *conditions,
                     struct err *err)
{
	struct entry *entry = job && job->asked ? NULL : entry_find_same(daemon, conditions);
	struct snap_job *other;

	if (entry && entry->state == ENTRY_QUARANTINED)
		return err_set(err, EEXIST, "its snapshot %s is quarantined: %.150s", entry->id, entry->reason);
	if (entry)
		return err_set(err, EEXIST, "snapshot %s serves the next launch already", entry->id);
	LIST_FOREACH(other, &daemon->snap_jobs, link)
	{
		const Warm__Rpc__Conditions *theirs = other->record ? other->record->conditions : other->conditions;

		if (other != job && theirs && conditions_same(daemon, theirs, conditions))
			return err_set(err, EBUSY, "another process of it is being snapshotted");
	}
	return 0;
}

bool snap_job_is_new(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, struct err *err)
{
	return check_new(daemon, NULL, conditions, err) == 0;
}

/* Whether a snapshot of this process is wanted: with what the hook declared, another one may serve already. */
static int snap_job_admit(struct snap_job *job, struct err *err)
{
	int r = record_declare(job->run, job->ready, &job->conditions, err);

	return r ? r : check_new(job->daemon, job, job->conditions, err);
}

void snap_job_hello(struct client *client, const Warm__Rpc__Hello *hello)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Hook hook = WARM__RPC__HOOK__INIT;
	struct first_run *run = first_run_of(client);

	if (!run && prewarm_hook_called(client)) {
		hook_answer(client, WARM__RPC__OUTCOME__COLD,
		            "a copy of its interpreter: the next launch is a first run");
		return;
	}
	if (!run || (hello->interpreter && !run->interpreter)) {
		hook_answer(client, WARM__RPC__OUTCOME__COLD, NOT_LAUNCHED);
		return;
	}
	hook.preload = hello->interpreter ? prewarm_modules(client->daemon, run->interpreter) : NULL;
	for (; hook.preload && hook.preload[hook.n_preload];)
		hook.n_preload++;
	hook.outcome = WARM__RPC__OUTCOME__PENDING;
	reply.hook = &hook;
	client_reply(client, &reply);
}

/* Takes the run, which is on no list or is taken off it. NULL: out of memory, and the run is as it was. */
static struct snap_job *snap_job_new(struct first_run *run)
{
	struct snap_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	id_new(job->id);
	job->daemon = run->daemon;
	job->run = run;
	job->meta_fd = job->summary_fd = job->pages_fd = -1;
	LIST_INSERT_HEAD(&job->daemon->snap_jobs, job, link);
	return job;
}

/* Takes the run off its list. */
static struct snap_job *snap_job_new_program(struct first_run *run)
{
	struct snap_job *job = snap_job_new(run);

	if (job) {
		first_run_take(run);
		prewarm_learn_conditions(run->daemon, run->conditions);
	}
	return job;
}

/* The process stays a first run of its program, whose hook is still to come. */
static struct snap_job *snap_job_new_interpreter(struct first_run *run, const Warm__Rpc__Ready *ready)
{
	struct first_run *split = run->interpreter ? first_run_split(run) : NULL;
	struct snap_job *job = split ? snap_job_new(split) : NULL;

	if (!job)
		first_run_free(split);
	if (ready->note[0])
		log_line("%s, before its program: %s", run->conditions->cmd, ready->note);
	return job;
}

/* The job may be gone on return. */
static void snap_job_begin(struct snap_job *job)
{
	struct err err;

	if (snap_job_admit(job, &err)) {
		snap_job_refuse(job, err.msg);
		return;
	}
	snap_job_move(job, SNAP_ADMITTED);
	if (snap_job_take(job, &err)) {
		snap_job_refuse(job, err.msg);
		return;
	}
	snap_job_move(job, SNAP_TAKING);
}

void snap_job_start(struct client *client, Warm__Rpc__Ready *ready)
{
	struct first_run *run = first_run_of(client);
	struct snap_job *job = NULL;

	if (run && ready->interpreter && run->interpreter && !prewarm_is_itself(run->pid, run->interpreter)) {
		note_refusal(client->daemon, run->interpreter, EXECUTED);
		hook_answer(client, WARM__RPC__OUTCOME__COLD, EXECUTED);
		warm__rpc__ready__free_unpacked(ready, NULL);
		return;
	}
	if (ready->interpreter && ready->refused[0]) {
		if (run && run->interpreter)
			note_refusal(client->daemon, run->interpreter, ready->refused);
		warm__rpc__ready__free_unpacked(ready, NULL);
		return;
	}
	if (run && ready->interpreter)
		job = snap_job_new_interpreter(run, ready);
	else if (run)
		job = snap_job_new_program(run);
	if (!job) {
		hook_answer(client, WARM__RPC__OUTCOME__COLD, run ? "out of memory" : NOT_LAUNCHED);
		warm__rpc__ready__free_unpacked(ready, NULL);
		return;
	}
	job->client = client;
	client->snap_job = job;
	job->ready = ready;
	job->depends = take_ptr(client->depends);
	job->n_depends = client->n_depends;
	client->n_depends = 0;
	snap_job_begin(job);
}

void snap_job_found_ready(struct first_run *run)
{
	struct snap_job *job = snap_job_new_program(run);

	if (job)
		snap_job_begin(job);
}

void snap_job_take_process(struct client *client, struct first_run *run, const char *name, bool stop)
{
	char *own_name = *name ? strdup(name) : NULL, *ready = strdup("snapshot");
	struct snap_job *job = ready && (own_name || !*name) ? snap_job_new_program(run) : NULL;

	if (!job) {
		free(own_name);
		free(ready);
		client_fail(client, ENOMEM, "out of memory");
		return;
	}
	free(run->ready);
	run->ready = ready;
	if (own_name) {
		free(run->name);
		run->name = own_name;
	}
	job->client = client;
	client->snap_job = job;
	job->asked = true;
	job->stop = stop;
	snap_job_begin(job);
}
