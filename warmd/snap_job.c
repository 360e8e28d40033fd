/* SPDX-License-Identifier: MIT */
#include "warmd/snap_job.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/program.h"
#include "cache/store.h"
#include "proto/launch.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/first_run.h"
#include "warmd/kept_random.h"
#include "warmd/log.h"
#include "warmd/pool.h"
#include "warmd/record.h"
#include "warmd/recording.h"
#include "warmd/retired.h"
#include "warmd/snap_internal.h"
#include "warmd/trial.h"
#include "warmd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SNAP_TIMEOUT_S  120
#define STORE_TIMEOUT_S 600
#define SUMMARY_MAX     (64u << 20)
#define N_SNAP_ARGS     24 /* of warm-snap, before those of the launch's descriptors */

_Static_assert(N_SNAP_ARGS + LAUNCH_FDS_MAX + CONFIG_PLUGIN_ARGS <= SPAWN_ARGS_MAX,
               "warm-snap's command line must fit");

void snap_job_move(struct snap_job *job, enum snap_state to)
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
		recording_wait(job->listing, NULL, NULL);
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

void snap_answer_hook(struct client *client, Warm__Rpc__Outcome outcome, const char *reason)
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
		snap_answer_hook(client, outcome, reason);
		return;
	}
	client->snap_job = NULL;
	client_fail(client, ECANCELED, "no snapshot of process %d: %s", job->run->pid, reason);
}

static void answer_id(struct snap_job *job)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	static const char unseen[] =
	        "what it has opened and closed again is not recorded: of that only files count that its arguments and "
	        "variables name";
	char *line = job->id, *notes[2 + SERVED_NOTES_MAX];

	if (!job->client)
		return;
	reply.line = &line;
	reply.n_line = 1;
	reply.note = notes;
	if (!job->opened)
		notes[reply.n_note++] = (char *)unseen;
	if (job->kept)
		notes[reply.n_note++] = (char *)job->kept;
	for (unsigned k = 0; k < job->n_served; k++)
		notes[reply.n_note++] = job->served[k];
	job->client->snap_job = NULL;
	client_reply_last(take_ptr(job->client), &reply);
}

void snap_note_refusal(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason)
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
		snap_note_refusal(job->daemon, conditions, reason);
}

void snap_job_refuse(struct snap_job *job, const char *reason)
{
	snap_job_note(job, reason);
	snap_job_move(job, SNAP_REFUSED);
	log_line("no snapshot %s: %s", job->id, reason);
	snap_job_answer(job, job->unwanted ? WARM__RPC__OUTCOME__UNWANTED : WARM__RPC__OUTCOME__COLD, reason);
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
	struct err stale;

	entry->trial = NULL;
	job->entry = NULL;
	/* A file that changed under the trial is no flaw of the image: it goes, and the next launch may make another.
	 */
	if (entry_check_files(entry, &stale)) {
		snap_job_refuse(job, stale.msg);
		entry_retire(entry, stale.msg);
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
	if (job->asked) {
		job->kept = kept_random(entry->record->conditions);
		entry_supersede(entry);
	}
	if (job->stop)
		snap_job_end_process(job);
	else
		snap_job_done(job);
	pool_published(entry); /* a launch is expected */
	pool_balance(entry->daemon);
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
	int r = read_summary(job, &summary, err);

	if (r)
		return r;
	if (job->lost[0]) {
		warm__rpc__summary__free_unpacked(summary, NULL);
		return err_set(err, ENODATA, "%s", job->lost);
	}
	r = record_new(job->id, job->run, job->conditions, summary, job->depends, job->n_depends, job->opened,
	               &job->record, err);
	if (r)
		return r;
	job->conditions = NULL; /* the record's */
	return start_store(job, err);
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

/* The run of the process's program: where its interpreter is being snapshotted, not the job's own. NULL: it has ended.
 */
static struct first_run *program_of(const struct snap_job *job)
{
	return job->ready && job->ready->interpreter ? first_run_of_pid(job->daemon, job->run->pid) : job->run;
}

/* The kernel has read the first line of a script: that is the program's, not its interpreter's. */
static void leave_out_script(struct snap_job *job)
{
	const struct first_run *program = program_of(job);
	struct stat st;

	if (!program || program == job->run || !strcmp(program->conditions->cmd, job->conditions->cmd) ||
	    stat(program->conditions->cmd, &st))
		return;
	for (size_t i = 0; i < job->opened->n_file; i++) {
		const Warm__Rpc__File *file = job->opened->file[i];

		if (file->dev != st.st_dev || file->ino != st.st_ino)
			continue;
		warm__rpc__file__free_unpacked(job->opened->file[i], NULL);
		job->opened->file[i--] = job->opened->file[--job->opened->n_file];
	}
}

static void listed(void *arg)
{
	struct snap_job *job = arg;
	struct err err;

	if (recording_take(job->listing, &job->opened, &err))
		snprintf(job->lost, sizeof(job->lost), "%s", err.msg);
	else
		leave_out_script(job);
	job->listing = NULL;
	snap_job_answer(job, WARM__RPC__OUTCOME__RESUMED, "");
	snap_job_captured(job);
}

/* It runs again, and its memory is still being written. Its hook goes on when all is listed that it has opened so far:
 * what comes behind belongs to its own launch. */
static void released(struct snap_job *job)
{
	const struct first_run *program = program_of(job);

	if (!program) {
		snap_job_refuse(job, "the program has ended");
		return;
	}
	if (!program->recording) {
		snap_job_answer(job, WARM__RPC__OUTCOME__RESUMED, "");
		return;
	}
	job->listing = program->recording;
	recording_list(job->listing, program != job->run, listed, job);
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
	char pid[16], hook_fd[16], owner[64 + DIGEST_HEX_SIZE], groups[DIGEST_HEX_SIZE], program[16 + DIGEST_HEX_SIZE],
	        launch_fd[LAUNCH_FDS_MAX][80];
	const char *argv[SPAWN_ARGS_MAX + 1] = {"warm-snap", "--pid",   pid,      "--hook-fd", hook_fd,
	                                        "--report",  "3",       "--meta", "4",         "--summary",
	                                        "5",         "--pages", "6",      "--pidfd",   "7"};
	const Warm__Rpc__Conditions *conditions = job->conditions;
	size_t n_args = N_SNAP_ARGS - 9;
	const struct first_run *run = job->run;
	const int fds[] = {-1, job->meta_fd, job->summary_fd, job->pages_fd, run->pidfd};
	const struct worker_spec spec = {.program = SPAWN_SNAP,
	                                 .argv = argv,
	                                 .fds = fds,
	                                 .n_fds = 5,
	                                 .timeout_s = SNAP_TIMEOUT_S,
	                                 .must_move = true,
	                                 .cb = captured,
	                                 .arg = job};

	if (conditions->uid) {
		program_groups_digest(conditions->group, conditions->n_group, groups);
		snprintf(owner, sizeof(owner), "--owner=%u:%u:%" PRIx64 ":%s", conditions->uid, conditions->gid,
		         conditions->cap_permitted, groups);
		argv[n_args++] = owner;
	}
	if (run->program[0]) {
		snprintf(program, sizeof(program), "--program=%s", run->program);
		argv[n_args++] = program;
	}
	if (conditions->net_private)
		argv[n_args++] = "--net-private";
	if (job->daemon->config.random_kept)
		argv[n_args++] = "--random-kept";
	if (run->notify) {
		argv[n_args++] = "--notify";
		argv[n_args++] = run->notify;
	}
	if (job->daemon->config.fork) {
		argv[n_args++] = "--fork";
		argv[n_args++] = job->daemon->config.fork;
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

int snap_job_take(struct snap_job *job, struct err *err)
{
	job->meta_fd = memfd_create("warm-meta", MFD_CLOEXEC);
	job->summary_fd = memfd_create("warm-summary", MFD_CLOEXEC);
	job->pages_fd = memfd_create("warm-pages", MFD_CLOEXEC);
	if (job->meta_fd < 0 || job->summary_fd < 0 || job->pages_fd < 0)
		return err_sys(err, errno, "make room for the image");
	return start_snap(job, err);
}
