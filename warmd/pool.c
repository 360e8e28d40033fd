/* SPDX-License-Identifier: MIT */
#include "warmd/pool.h"

#include "base/err.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/exec_job.h"
#include "warmd/log.h"
#include "warmd/snap_job.h"
#include "warmd/standby.h"
#include "warmd/template.h"
#include "warmd/words.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REFILL_DELAY_S   0.012  /* lets the clone that has just started have the CPUs for its first answer */
#define REFILL_SOON_S    0.001  /* ... unless the pool runs dry */
#define PAUSE_MS         2000   /* after a failure */
#define EMBEDDED_IDLE_MS 600000 /* an embedded daemon keeps an idle template for so long */
#define MAKING_MAX       8
#define IMAGE_PAGE       UINT64_C(4096)

/* ---- memory ------------------------------------------------------------------------------------------------------ */

struct pool_figures pool_figures(const struct entry *entry)
{
	const struct entry_pool *pool = &entry->pool;
	struct pool_figures figures = {.standbys = pool->n_parked};
	struct standby *standby;

	figures.templates = template_ready(pool->tmpl);
	figures.template_bytes = template_bytes(pool->tmpl);
	LIST_FOREACH(standby, &pool->standbys, link)
	figures.standby_bytes += standby->bytes;
	return figures;
}

static uint64_t bytes_left(struct daemon *daemon)
{
	struct entry *entry;
	uint64_t used = 0;

	LIST_FOREACH(entry, &daemon->entries, link)
	{
		struct pool_figures figures = pool_figures(entry);

		used += figures.template_bytes + figures.standby_bytes;
	}
	return used < daemon->config.budget_bytes ? daemon->config.budget_bytes - used : 0;
}

bool pool_may_build(const struct entry *entry)
{
	return entry->pool.tmpl || entry->trial ||
	       bytes_left(entry->daemon) >= entry->record->summary->pages * IMAGE_PAGE;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static unsigned pool_have(const struct entry *entry)
{
	return entry->pool.n_parked + entry->pool.n_making;
}

/* Everybody who waits for this pool hears the reason. An entry on trial may be gone on return. */
static void pool_failed(struct entry *entry, const char *reason)
{
	entry->pool.paused_until_ms = daemon_now_ms() + PAUSE_MS;
	if (entry->trial) {
		snap_job_trial_failed(entry->trial, reason);
		return;
	}
	entry_failed(entry, reason);
	exec_jobs_pool_failed(entry, reason);
}

static void make_standbys(struct entry *entry, unsigned n)
{
	struct entry_pool *pool = &entry->pool;
	struct err err;

	for (; n && pool->n_making < MAKING_MAX; n--) {
		struct standby *standby = standby_make(entry, pool->tmpl, -1, &err);

		if (!standby) {
			pool_failed(entry, err.msg);
			return;
		}
		LIST_INSERT_HEAD(&pool->standbys, standby, link);
		pool->n_making++;
	}
}

void pool_need(struct entry *entry, unsigned n)
{
	struct entry_pool *pool = &entry->pool;
	struct err err;

	if (!pool->tmpl) {
		if (!pool_may_build(entry))
			return; /* a loader serves who waits */
		pool->tmpl = template_start(entry, &err);
		if (!pool->tmpl)
			pool_failed(entry, err.msg);
		return; /* pool_template_ready() goes on */
	}
	if (template_ready(pool->tmpl) && n > pool_have(entry))
		make_standbys(entry, n - pool_have(entry));
}

static unsigned wanted(struct entry *entry)
{
	struct entry_pool *pool = &entry->pool;
	unsigned waiting = exec_jobs_waiting(entry) + (entry->trial != NULL), policy;

	if (entry_on_terminal(entry)) /* a standby in the pool has none, and no launch could use it */
		return entry->trial != NULL;
	policy = pool_want(&pool->history, daemon_now_ms(), pool_have(entry), pool->make_ms, pool->standby_bytes,
	                   bytes_left(entry->daemon));
	return waiting > policy ? waiting : policy;
}

/* One at a time: a refill is in nobody's way. */
static void pool_refill(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct entry *entry = timer->data;

	(void)loop;
	(void)revents;
	if (daemon_now_ms() < entry->pool.paused_until_ms || entry->pool.n_making)
		return;
	if (wanted(entry) > pool_have(entry))
		pool_need(entry, pool_have(entry) + 1);
}

void pool_refill_soon(struct entry *entry)
{
	struct ev_loop *loop = entry->daemon->loop;

	ev_now_update(loop);
	ev_timer_stop(loop, &entry->pool.refill);
	ev_timer_set(&entry->pool.refill, entry->pool.n_parked > 1 ? REFILL_DELAY_S : REFILL_SOON_S, 0);
	ev_timer_start(loop, &entry->pool.refill);
}

void pool_launched(struct entry *entry)
{
	pool_note_launch(&entry->pool.history, daemon_now_ms());
	pool_refill_soon(entry);
}

/* ---- what templates and standbys say ----------------------------------------------------------------------------- */

void pool_template_ready(struct entry *entry)
{
	if (entry->trial)
		pool_need(entry, 1);
	else if (exec_jobs_waiting(entry))
		exec_jobs_serve(entry);
	else
		pool_refill_soon(entry);
}

/* The plan's words for a failed operation are fetched behind everybody's back: nobody waits for them. */
static void tell_words(struct entry *entry, const struct report *report)
{
	if (report->op >= 0 && !report->text[0])
		words_fetch(entry->daemon, entry->id, PLAN_TEMPLATE, report->op, report->err, NULL, NULL);
}

void pool_template_failed(struct entry *entry, const struct report *report)
{
	char reason[ERR_MSG_MAX];

	worker_reason(report, reason, sizeof(reason));
	tell_words(entry, report);
	template_free(entry->pool.tmpl);
	entry->pool.tmpl = NULL;
	pool_failed(entry, reason);
}

void pool_standby_parked(struct standby *standby)
{
	struct entry *entry = standby->entry;

	entry->pool.n_making--;
	entry->pool.n_parked++;
	entry->pool.make_ms = daemon_now_ms() - standby->started_ms;
	entry->pool.standby_bytes = standby->bytes;
	if (entry->trial) {
		entry->pool.n_parked--;
		LIST_REMOVE(standby, link);
		snap_job_trial_parked(entry->trial, standby); /* the entry may be gone on return */
		return;
	}
	if (entry->state != ENTRY_PUBLISHED)
		return;
	if (exec_jobs_waiting(entry))
		exec_jobs_serve(entry);
	else
		pool_refill_soon(entry);
}

static void standby_drop(struct standby *standby)
{
	struct entry_pool *pool = &standby->entry->pool;

	if (standby->state == STANDBY_PARKED)
		pool->n_parked--;
	else
		pool->n_making--;
	LIST_REMOVE(standby, link);
	standby_free(standby);
}

void pool_standby_failed(struct standby *standby, const struct report *report)
{
	struct entry *entry = standby->entry;
	char reason[ERR_MSG_MAX];

	worker_reason(report, reason, sizeof(reason));
	tell_words(entry, report);
	standby_drop(standby);
	pool_failed(entry, reason);
}

struct standby *pool_make_for(struct entry *entry, struct exec_job *job, int tty_fd, struct err *err)
{
	struct standby *standby = standby_make(entry, entry->pool.tmpl, tty_fd, err);

	if (standby) {
		standby->entry = NULL;
		standby->job = job;
	}
	return standby;
}

/* ---- giving out, giving up --------------------------------------------------------------------------------------- */

bool pool_template_is_ready(const struct entry *entry)
{
	return template_ready(entry->pool.tmpl);
}

struct standby *pool_get(struct entry *entry, enum launch_tier *ret_tier)
{
	struct standby *standby;

	LIST_FOREACH(standby, &entry->pool.standbys, link)
	{
		if (standby->state != STANDBY_PARKED)
			continue;
		entry->pool.n_parked--;
		*ret_tier = TIER_HOT;
		return standby;
	}
	*ret_tier = pool_template_is_ready(entry) ? TIER_TEMPLATE : TIER_COLD_RESTORE;
	return NULL;
}

void pool_entry_init(struct entry *entry)
{
	LIST_INIT(&entry->pool.standbys);
	ev_timer_init(&entry->pool.refill, pool_refill, REFILL_DELAY_S, 0);
	entry->pool.refill.data = entry;
	working_set_init(&entry->pool.working_set);
}

static void pool_empty(struct entry *entry)
{
	struct standby *standby;

	while ((standby = LIST_FIRST(&entry->pool.standbys)))
		standby_drop(standby);
	template_free(entry->pool.tmpl);
	entry->pool.tmpl = NULL;
}

void pool_entry_drop(struct entry *entry, const char *reason)
{
	ev_timer_stop(entry->daemon->loop, &entry->pool.refill);
	pool_empty(entry);
	exec_jobs_pool_failed(entry, reason);
}

static void shrink(struct entry *entry)
{
	struct standby *standby, *next;
	unsigned want = wanted(entry);

	for (standby = LIST_FIRST(&entry->pool.standbys); standby && pool_have(entry) > want; standby = next) {
		next = LIST_NEXT(standby, link);
		if (standby->state == STANDBY_PARKED)
			standby_drop(standby);
	}
	if (pool_have(entry) < want)
		pool_refill_soon(entry);
}

void pool_renew(struct entry *entry)
{
	struct standby *standby, *next;

	for (standby = LIST_FIRST(&entry->pool.standbys); standby; standby = next) {
		next = LIST_NEXT(standby, link);
		if (standby->state == STANDBY_PARKED)
			standby_drop(standby);
	}
	pool_refill_soon(entry);
}

static bool idle_for(const struct entry *entry, uint64_t ms)
{
	return !entry->pool.history.pinned && daemon_now_ms() > entry->pool.history.last_ms + ms;
}

static void evict(struct daemon *daemon)
{
	while (!bytes_left(daemon)) {
		struct pool_template list[64];
		struct entry *entry, *of[64];
		size_t n = 0;
		int i;

		LIST_FOREACH(entry, &daemon->entries, link)
		{
			struct pool_figures figures = pool_figures(entry);

			if (!entry->pool.tmpl || entry->trial || n == 64)
				continue;
			list[n] = (struct pool_template){entry->pool.history,
			                                 figures.template_bytes + figures.standby_bytes};
			of[n++] = entry;
		}
		i = pool_evict(list, n, daemon_now_ms());
		if (i < 0)
			return;
		log_line("snapshot %s gives its template back: the budget of %llu MiB is used up", of[i]->id,
		         (unsigned long long)(daemon->config.budget_bytes >> 20));
		pool_entry_drop(of[i], "its template was given up: the memory budget is used up");
	}
}

void pool_balance(struct daemon *daemon)
{
	struct entry *entry;

	LIST_FOREACH(entry, &daemon->entries, link)
	{
		if (entry->state != ENTRY_PUBLISHED || !entry->pool.tmpl)
			continue;
		if (daemon->embedded && idle_for(entry, EMBEDDED_IDLE_MS))
			pool_empty(entry);
		else
			shrink(entry);
	}
	evict(daemon);
}
