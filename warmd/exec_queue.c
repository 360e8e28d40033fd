/* SPDX-License-Identifier: MIT */
/* Who waits for a standby gets one: of the pool, made for it, or from disk. The longest waiting first. */
#include "warmd/exec_internal.h"

#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/loader.h"
#include "warmd/pool.h"
#include "warmd/standby.h"

#define LOADING_MAX 2 /* starts of one image from disk at once, where the others can wait for its template */

void exec_queue_init(struct exec_queue *queue)
{
	TAILQ_INIT(&queue->jobs);
	queue->n = 0;
}

void exec_queue_join(struct exec_queue *queue, struct exec_job *job)
{
	TAILQ_INSERT_TAIL(&queue->jobs, job, waiting);
	queue->n++;
	job->queue = queue;
}

void exec_queue_leave(struct exec_job *job)
{
	if (!job->queue)
		return;
	TAILQ_REMOVE(&job->queue->jobs, job, waiting);
	job->queue->n--;
	job->queue = NULL;
}

struct exec_job *exec_queue_first(const struct exec_queue *queue)
{
	return TAILQ_FIRST(&queue->jobs);
}

/* A controlling terminal is inherited at birth or never: what stands in the pool has none. */
static void exec_job_make_own(struct exec_job *job)
{
	struct err err;

	exec_queue_leave(job);
	job->standby = pool_make_for(job->entry, job, request_terminal(&job->request), &err);
	if (!job->standby)
		exec_job_cold(job, err.msg);
}

unsigned exec_jobs_waiting(const struct entry *entry)
{
	return entry->pool.waiting.n;
}

/* Launches of it that are on their way up from disk. */
static unsigned exec_jobs_loading(const struct entry *entry)
{
	struct exec_job *job;
	unsigned n = 0;

	LIST_FOREACH(job, &entry->daemon->exec_jobs, link)
	n += job->state == EXEC_FOUND && job->entry == entry && job->standby && job->standby->plan != PLAN_TEMPLATE;
	return n;
}

/* From disk, without waiting for a template. False: there is nobody to do that. */
static bool exec_job_load(struct exec_job *job)
{
	struct entry *entry = job->entry;
	struct loader *loader;
	struct err err;

	if (pool_may_build(entry) && exec_jobs_loading(entry) >= LOADING_MAX)
		return false;
	loader = loader_take(job->daemon->loaders);
	if (!loader)
		return false;
	exec_queue_leave(job);
	entry->pool.served_ms = daemon_now_ms();
	job->standby = standby_load(entry, job, loader, request_terminal(&job->request), &err);
	if (!job->standby)
		exec_job_cold(job, err.msg);
	return true;
}

bool exec_job_teach(struct exec_job *job)
{
	enum launch_tier tier = job->tier;

	job->teaches = true;
	job->tier = TIER_COLD_RESTORE;
	if (exec_job_load(job))
		return true;
	job->teaches = false;
	job->tier = tier;
	return false;
}

void exec_jobs_serve(struct entry *entry)
{
	struct exec_job *job;

	while ((job = exec_queue_first(&entry->pool.waiting))) {
		enum launch_tier now;
		bool own = entry_on_terminal(entry);
		struct standby *standby = own ? NULL : pool_get(entry, &now);

		if (own && pool_template_is_ready(entry)) {
			exec_job_make_own(job);
		} else if (standby) {
			entry->pool.served_ms = daemon_now_ms();
			exec_job_stand(job, standby);
		} else if (pool_template_is_ready(entry) || !exec_job_load(job)) {
			pool_need(entry, own ? 0 : exec_jobs_waiting(entry));
			return;
		}
	}
}

void exec_jobs_pool_failed(struct entry *entry, const char *reason)
{
	struct exec_job *job, *next;

	for (job = LIST_FIRST(&entry->daemon->exec_jobs); job; job = next) {
		next = LIST_NEXT(job, link);
		if (job->entry != entry)
			continue;
		job->entry = NULL;
		if (job->state == EXEC_FOUND)
			exec_job_cold(job, reason);
	}
}

void exec_jobs_loader_parked(struct daemon *daemon)
{
	struct entry *entry, *next;

	for (entry = LIST_FIRST(&daemon->entries); entry; entry = next) {
		next = LIST_NEXT(entry, link);
		if (exec_jobs_waiting(entry) && !pool_template_is_ready(entry))
			exec_jobs_serve(entry);
	}
}

/* Who waits for a template waits on. */
void exec_jobs_loader_failed(struct daemon *daemon, const char *reason)
{
	struct exec_job *job, *next;

	for (job = LIST_FIRST(&daemon->exec_jobs); job; job = next) {
		next = LIST_NEXT(job, link);
		if (job->state == EXEC_FOUND && job->queue && !pool_may_build(job->entry))
			exec_job_cold(job, reason);
	}
}
