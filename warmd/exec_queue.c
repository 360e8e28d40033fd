/* SPDX-License-Identifier: MIT */
/* Who waits for a standby gets one: of the pool, made for it, or from disk. The longest waiting first. */
#include "warmd/exec_internal.h"

#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/loader.h"
#include "warmd/pool.h"
#include "warmd/standby.h"

#define LOADING_MAX 2 /* starts of one image from disk at once, where the others can wait for its template */

/* A controlling terminal is inherited at birth or never: what stands in the pool has none. */
static void exec_job_make_own(struct exec_job *job)
{
	struct err err;

	job->standby = pool_make_for(job->entry, job, request_terminal(&job->request), &err);
	if (!job->standby)
		exec_job_cold(job, err.msg);
}

static bool exec_job_waits(const struct exec_job *job, const struct entry *entry)
{
	return job->state == EXEC_FOUND && job->entry == entry && !job->standby && !job->failure[0];
}

unsigned exec_jobs_waiting(const struct entry *entry)
{
	struct exec_job *job;
	unsigned n = 0;

	LIST_FOREACH(job, &entry->daemon->exec_jobs, link)
	n += exec_job_waits(job, entry);
	return n;
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

static struct exec_job *longest_waiting(const struct entry *entry)
{
	struct exec_job *job, *last = NULL;

	LIST_FOREACH(job, &entry->daemon->exec_jobs, link) /* the newest is the first */
	{
		if (exec_job_waits(job, entry))
			last = job;
	}
	return last;
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
	job->standby = standby_load(entry, job, loader, request_terminal(&job->request), &err);
	if (!job->standby)
		exec_job_cold(job, err.msg);
	return true;
}

void exec_jobs_serve(struct entry *entry)
{
	struct exec_job *job;

	while ((job = longest_waiting(entry))) {
		enum launch_tier now;
		bool own = entry_on_terminal(entry);
		struct standby *standby = own ? NULL : pool_get(entry, &now);

		if (own && pool_template_is_ready(entry)) {
			exec_job_make_own(job);
		} else if (standby) {
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
		if (job->entry && exec_job_waits(job, job->entry) && !pool_may_build(job->entry))
			exec_job_cold(job, reason);
	}
}
