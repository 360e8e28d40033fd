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
#define STANDBY_GUESS    (UINT64_C(4) << 20) /* bytes, until one was made */
#define MAKE_GUESS_MS    5
#define BUSY_MS          60000 /* a template that was of use so lately makes no room for another one's */
#define TEMPLATES_MAX    64    /* that are looked at when memory is short */

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

static uint64_t bytes_used(struct daemon *daemon)
{
	struct entry *entry;
	uint64_t used = 0;

	LIST_FOREACH(entry, &daemon->entries, link)
	{
		struct pool_figures figures = pool_figures(entry);

		used += figures.template_bytes + figures.standby_bytes;
	}
	return used;
}

static uint64_t bytes_left(struct daemon *daemon)
{
	uint64_t used = bytes_used(daemon);

	return used < daemon->config.budget_bytes ? daemon->config.budget_bytes - used : 0;
}

/* What its template needs: as the last one, or as its image says. */
static uint64_t needed_bytes(const struct entry *entry)
{
	uint64_t last = entry->pool.template_bytes;

	return last ? last : entry->record->summary->pages * IMAGE_PAGE;
}

bool pool_may_build(const struct entry *entry)
{
	return entry->pool.tmpl || entry->trial || bytes_left(entry->daemon) >= needed_bytes(entry);
}

struct candidates {
	struct pool_template list[TEMPLATES_MAX];
	struct entry *of[TEMPLATES_MAX];
	size_t n;
	uint64_t bytes;
};

/* Templates that may go for this entry's: who was not launched for a while, and longer than this one (two that are both
 * wanted do not drive each other out). NULL: for none in particular, any. */
static void find_candidates(struct daemon *daemon, const struct entry *wanting, struct candidates *ret)
{
	uint64_t now = daemon_now_ms();
	struct entry *entry;

	ret->n = ret->bytes = 0;
	LIST_FOREACH(entry, &daemon->entries, link)
	{
		const struct pool_history *history = &entry->pool.history;
		struct pool_figures figures = pool_figures(entry);

		if (!entry->pool.tmpl || entry->trial || ret->n == TEMPLATES_MAX)
			continue;
		if (wanting && (now - history->arrivals.last_ms < BUSY_MS ||
		                history->arrivals.last_ms >= wanting->pool.history.arrivals.last_ms))
			continue;
		ret->list[ret->n] = (struct pool_template){*history, figures.template_bytes + figures.standby_bytes};
		ret->bytes += history->pinned ? 0 : ret->list[ret->n].bytes;
		ret->of[ret->n++] = entry;
	}
}

static bool evict_one(struct daemon *daemon, const struct candidates *candidates)
{
	int i = pool_evict(candidates->list, candidates->n, daemon_now_ms());

	if (i < 0)
		return false;
	log_line("snapshot %s gives its template back: the budget of %llu MiB is used up", candidates->of[i]->id,
	         (unsigned long long)(daemon->config.budget_bytes >> 20));
	pool_entry_drop(candidates->of[i], "its template was given up: the memory budget is used up");
	return true;
}

/* What has been of no use for a while goes for what is wanted now, if that is enough. */
static bool make_room(struct entry *entry)
{
	struct candidates candidates;

	while (!pool_may_build(entry)) {
		find_candidates(entry->daemon, entry, &candidates);
		if (bytes_left(entry->daemon) + candidates.bytes < needed_bytes(entry) ||
		    !evict_one(entry->daemon, &candidates))
			return false;
	}
	return true;
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
	bool hurry = exec_jobs_waiting(entry) > 0;
	struct err err;

	for (; n && pool->n_making < MAKING_MAX; n--) {
		struct standby *standby = standby_make(entry, pool->tmpl, -1, hurry, &err);

		if (!standby) {
			pool_failed(entry, err.msg);
			return;
		}
		LIST_INSERT_HEAD(&pool->standbys, standby, link);
		standby->round = pool->round -
		                 hurry; /* one that nobody takes gives way to one that has touched its pages */
		pool->n_making++;
	}
}

static bool wants_huge(const struct entry *entry)
{
	return huge_wanted(&entry->pool.huge, entry->daemon->config.huge, entry->record->summary->pages);
}

void pool_need(struct entry *entry, unsigned n)
{
	struct entry_pool *pool = &entry->pool;
	struct err err;

	if (!pool->tmpl) {
		if (!make_room(entry))
			return; /* a loader serves who waits */
		pool->tmpl = template_start(entry, wants_huge(entry), &err);
		if (!pool->tmpl)
			pool_failed(entry, err.msg);
		return; /* pool_template_ready() goes on */
	}
	if (template_ready(pool->tmpl) && n > pool_have(entry))
		make_standbys(entry, n - pool_have(entry));
}

struct pool_wish pool_wish(const struct entry *entry)
{
	const struct entry_pool *pool = &entry->pool;
	const struct pool_costs costs = {
	        .template_bytes = needed_bytes(entry),
	        .standby_bytes = pool->standby_bytes ? pool->standby_bytes : STANDBY_GUESS,
	        .worth = pool_worth(entry->daemon->config.budget_bytes),
	};
	struct pool_wish wish = pool_want(&pool->history, &costs, daemon_now_ms(), pool->tmpl != NULL);

	if (entry_on_terminal(entry)) /* a standby in the pool has none, and no launch could use it */
		wish.standbys = 0;
	return wish;
}

static unsigned wanted(struct entry *entry)
{
	const struct entry_pool *pool = &entry->pool;
	unsigned waiting = entry_on_terminal(entry) ? 0 : exec_jobs_waiting(entry);
	unsigned policy = pool_afford(pool_wish(entry).standbys, pool_have(entry), pool->standby_bytes,
	                              bytes_left(entry->daemon));

	waiting += entry->trial != NULL;
	return waiting > policy ? waiting : policy;
}

/* The oldest of those that know less than a new one would. */
static struct standby *outdated(const struct entry *entry)
{
	struct standby *standby, *last = NULL;

	LIST_FOREACH(standby, &entry->pool.standbys, link)
	{
		if (standby->state == STANDBY_PARKED && standby->round != entry->pool.round)
			last = standby;
	}
	return last;
}

/* One at a time: a refill is in nobody's way. */
static void pool_refill(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct entry *entry = timer->data;
	unsigned have = pool_have(entry), want;

	(void)loop;
	(void)revents;
	if (daemon_now_ms() < entry->pool.paused_until_ms || entry->pool.n_making)
		return;
	want = wanted(entry);
	if (want > have || (want == have && outdated(entry)))
		pool_need(entry, have + 1);
}

void pool_refill_soon(struct entry *entry)
{
	struct ev_loop *loop = entry->daemon->loop;

	ev_now_update(loop);
	ev_timer_stop(loop, &entry->pool.refill);
	ev_timer_set(&entry->pool.refill, entry->pool.n_parked > 1 ? REFILL_DELAY_S : REFILL_SOON_S, 0);
	ev_timer_start(loop, &entry->pool.refill);
}

void pool_asked(struct entry *entry)
{
	struct entry_pool *pool = &entry->pool;

	pool_note_launch(&pool->history, daemon_now_ms(), pool->make_ms ? pool->make_ms : MAKE_GUESS_MS);
}

void pool_published(struct entry *entry)
{
	pool_note_published(&entry->pool.history, daemon_now_ms());
	pool_refill_soon(entry);
}

void pool_remember(struct entry *entry, const struct arrivals *arrivals, uint64_t now)
{
	struct pool_history *history = &entry->pool.history;
	uint64_t ago_ms = now > entry->last_used ? (now - entry->last_used) * 1000 : 0, now_ms = daemon_now_ms();

	history->arrivals = *arrivals;
	history->arrivals.last_ms = ago_ms < now_ms ? now_ms - ago_ms : 1;
	history->before = true;
}

/* ---- what templates and standbys say ----------------------------------------------------------------------------- */

/* Not while the old one is making a standby, which would end with it. */
static void exchange_template(struct entry *entry)
{
	struct entry_pool *pool = &entry->pool;

	if (!template_ready(pool->next) || pool->n_making)
		return;
	if (template_huge(pool->next) == template_huge(pool->tmpl))
		huge_restart(&pool->huge);
	template_free(pool->tmpl);
	pool->tmpl = pool->next;
	pool->next = NULL;
	pool->round++;
}

void pool_template_ready(struct entry *entry)
{
	exchange_template(entry);
	entry->pool.template_bytes = template_bytes(entry->pool.tmpl);
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

void pool_template_failed(struct entry *entry, const struct template *tmpl, const struct report *report)
{
	char reason[ERR_MSG_MAX];

	worker_reason(report, reason, sizeof(reason));
	tell_words(entry, report);
	if (tmpl == entry->pool.next) {
		log_line("snapshot %s keeps the template it has: %s", entry->id, reason);
		template_free(entry->pool.next);
		entry->pool.next = NULL;
		entry->pool.paused_until_ms = daemon_now_ms() + PAUSE_MS;
		return;
	}
	template_free(entry->pool.tmpl);
	entry->pool.tmpl = NULL;
	pool_failed(entry, reason);
}

/* Smoothed: one that was made beside others, or on a busy machine, took longer. */
static void note_made(struct entry_pool *pool, const struct standby *standby)
{
	uint64_t us = (daemon_now_ns() - standby->started_ns) / 1000, ms = us / 1000;

	pool->make_ms = pool->make_ms ? (pool->make_ms * 3 + ms) / 4 : ms + 1;
	if (standby->round == pool->round)
		huge_note(&pool->huge, template_huge(pool->tmpl), us);
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

void pool_standby_parked(struct standby *standby)
{
	struct entry *entry = standby->entry;

	entry->pool.n_making--;
	entry->pool.n_parked++;
	exchange_template(entry);
	note_made(&entry->pool, standby);
	entry->pool.standby_bytes = standby->bytes;
	if (entry->trial) {
		entry->pool.n_parked--;
		LIST_REMOVE(standby, link);
		snap_job_trial_parked(entry->trial, standby); /* the entry may be gone on return */
		return;
	}
	if (entry->state != ENTRY_PUBLISHED)
		return;
	if (exec_jobs_waiting(entry)) {
		exec_jobs_serve(entry);
		return;
	}
	working_set_parked(entry, standby->pid);
	if (wants_huge(entry) != template_huge(entry->pool.tmpl))
		pool_remake(entry);
	if (outdated(entry) && pool_have(entry) > wanted(entry))
		standby_drop(outdated(entry));
	pool_refill_soon(entry);
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
	struct standby *standby = standby_make(entry, entry->pool.tmpl, tty_fd, true, err);

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
	struct standby *standby, *found = NULL;

	LIST_FOREACH(standby, &entry->pool.standbys, link)
	{
		if (standby->state != STANDBY_PARKED)
			continue;
		if (!found || working_set_watches(&entry->pool.working_set, standby->pid))
			found = standby;
	}
	if (found) {
		entry->pool.n_parked--;
		*ret_tier = TIER_HOT;
		return found;
	}
	*ret_tier = pool_template_is_ready(entry) ? TIER_TEMPLATE : TIER_COLD_RESTORE;
	return NULL;
}

void pool_entry_init(struct entry *entry)
{
	LIST_INIT(&entry->pool.standbys);
	exec_queue_init(&entry->pool.waiting);
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
	template_free(entry->pool.next);
	entry->pool.tmpl = entry->pool.next = NULL;
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
	entry->pool.round++;
	huge_restart(&entry->pool.huge);
	pool_refill_soon(entry);
}

void pool_remake(struct entry *entry)
{
	struct entry_pool *pool = &entry->pool;
	struct err err;

	if (!pool->tmpl || pool->next || entry_on_terminal(entry) || daemon_now_ms() < pool->paused_until_ms ||
	    bytes_left(entry->daemon) < needed_bytes(entry))
		return; /* the next one that is made is of that image anyway */
	pool->next = template_start(entry, wants_huge(entry), &err);
	if (!pool->next)
		log_line("snapshot %s keeps the template it has: %s", entry->id, err.msg);
}

static bool idle_for(const struct entry *entry, uint64_t ms)
{
	return !entry->pool.history.pinned && daemon_now_ms() > entry->pool.history.arrivals.last_ms + ms;
}

static void balance(struct entry *entry)
{
	struct entry_pool *pool = &entry->pool;
	bool kept = pool_wish(entry).kept || exec_jobs_waiting(entry) || pool->n_making;

	if (entry->daemon->embedded && idle_for(entry, EMBEDDED_IDLE_MS))
		kept = false;
	if (pool->tmpl && !kept)
		pool_empty(entry);
	else if (pool->tmpl)
		shrink(entry);
	else if (kept && daemon_now_ms() >= pool->paused_until_ms)
		pool_need(entry, 0);
}

void pool_balance(struct daemon *daemon)
{
	struct candidates candidates;
	struct entry *entry, *next;

	for (entry = LIST_FIRST(&daemon->entries); entry; entry = next) {
		next = LIST_NEXT(entry, link); /* what cannot have a template may be set aside for that */
		if (entry->state == ENTRY_PUBLISHED)
			balance(entry);
	}
	while (bytes_used(daemon) > daemon->config.budget_bytes) {
		find_candidates(daemon, NULL, &candidates);
		if (!evict_one(daemon, &candidates))
			return;
	}
}
