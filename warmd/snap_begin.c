/* SPDX-License-Identifier: MIT */
/* ASKED: a hook, a look from outside (warmd/ready.h) or `warm snapshot` says that a process is ready. */
#include "warmd/snap_internal.h"

#include "base/err.h"
#include "base/clean.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/first_run.h"
#include "warmd/log.h"
#include "warmd/prewarm.h"
#include "warmd/record.h"
#include "warmd/snap_job.h"
#include "warmd/traits.h"
#include "warmd/unseen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOT_LAUNCHED "not started by `warm exec`, by one that did not miss, or with another --ready"
#define EXECUTED     "the program of this name has executed another one"

static int check_new(struct daemon *daemon, const struct snap_job *job, const Warm__Rpc__Conditions *conditions,
                     struct err *err)
{
	struct entry *entry = job && job->asked ? NULL : entry_find_same(daemon, conditions);
	struct snap_job *other;

	if (entry && entry->state == ENTRY_QUARANTINED)
		return err_refuse(err, "`warm rm` it for another", "its snapshot %s is quarantined: %s", entry->id,
		                  entry->reason);
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

/* Whether check_new() has found one in the place of this process, good or bad: it has to do without, and nothing of its
 * own has failed. */
static bool is_unwanted(int r)
{
	return r == -EEXIST || r == -EBUSY || r == -ENOTSUP;
}

bool snap_job_is_new(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, struct err *err)
{
	return check_new(daemon, NULL, conditions, err) == 0;
}

/* Whether a snapshot of this process is wanted: with what the hook declared, another one may serve already. */
static int snap_job_admit(struct snap_job *job, struct err *err)
{
	int r = record_declare(job->run, job->ready, &job->conditions, err);

	if (!r)
		r = unseen_check(job->run, job->asked, job->ready, err);
	if (r)
		return r;
	r = check_new(job->daemon, job, job->conditions, err);
	job->unwanted = is_unwanted(r);
	return r;
}

void snap_job_hello(struct client *client, const Warm__Rpc__Hello *hello)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Hook hook = WARM__RPC__HOOK__INIT;
	struct first_run *run = first_run_of(client);
	struct err err;

	if (!run && prewarm_hook_called(client)) {
		snap_answer_hook(client, WARM__RPC__OUTCOME__COLD,
		                 "a copy of its interpreter: the next launch is a first run");
		return;
	}
	if (!run || (hello->interpreter && !run->interpreter)) {
		snap_answer_hook(client, WARM__RPC__OUTCOME__COLD, NOT_LAUNCHED);
		return;
	}
	/* Here, where none of its own hooks has run yet. In what they do, and declare, it may still come too late. */
	if (!hello->interpreter && is_unwanted(check_new(client->daemon, NULL, run->conditions, &err))) {
		log_line("no snapshot of process %d: %s", run->pid, err.msg);
		first_run_forget(run);
		snap_answer_hook(client, WARM__RPC__OUTCOME__COLD, err.msg);
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
	job->run->traits_known = job->run->traits_known && traits_read(job->run->pid, &job->run->own) == 0;
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
		snap_note_refusal(client->daemon, run->interpreter, EXECUTED);
		snap_answer_hook(client, WARM__RPC__OUTCOME__COLD, EXECUTED);
		warm__rpc__ready__free_unpacked(ready, NULL);
		return;
	}
	if (ready->interpreter && ready->refused[0]) {
		if (run && run->interpreter)
			snap_note_refusal(client->daemon, run->interpreter, ready->refused);
		warm__rpc__ready__free_unpacked(ready, NULL);
		return;
	}
	if (run && ready->interpreter)
		job = snap_job_new_interpreter(run, ready);
	else if (run)
		job = snap_job_new_program(run);
	if (!job) {
		if (run)
			snap_answer_hook(client, WARM__RPC__OUTCOME__COLD, "out of memory");
		else
			snap_answer_hook(client, WARM__RPC__OUTCOME__UNWANTED, NOT_LAUNCHED);
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
	if (run->adopted) /* else what its launch was is known exactly */
		job->n_served = served_notes(run->conditions, client->caller.msg.sig_ignored, job->served);
	snap_job_begin(job);
}
