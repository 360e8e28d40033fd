/* SPDX-License-Identifier: MIT */
/*
 * The template and the standbys of one image: made when wanted (policy/pool), refilled behind a launch and not before
 * it, given up when memory is short or nobody has asked for long.
 */
#ifndef WARM_WARMD_POOL_H
#define WARM_WARMD_POOL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "policy/huge.h"
#include "policy/pool.h"
#include "proto/launch.h"
#include "warmd/exec_queue.h"
#include "warmd/working_set.h"

struct daemon;
struct entry;
struct err;
struct exec_job;
struct standby;
struct template;

struct entry_pool {
	struct template *tmpl;
	struct template *next; /* of the image as it is stored now: takes the other one's place when it is ready */
	unsigned round;        /* standbys of an earlier one give way to new ones */
	LIST_HEAD(, standby) standbys; /* parked or being made */
	unsigned n_parked, n_making;
	struct exec_queue waiting; /* launches, for a standby */
	uint64_t served_ms;        /* when one was there for a launch that waited, last */
	struct pool_history history;
	uint64_t make_ms;                       /* a standby takes so long, smoothed */
	uint64_t standby_bytes, template_bytes; /* of the last one made */
	uint64_t paused_until_ms;               /* after a failure */
	struct huge_trial huge;
	ev_timer refill;
	struct working_set working_set;
};

struct pool_figures {
	unsigned templates, standbys;
	uint64_t template_bytes, standby_bytes;
};

void pool_entry_init(struct entry *entry);

/* Ends everything parked; launches that wait for it start cold for this reason. */
void pool_entry_drop(struct entry *entry, const char *reason);

/* A parked standby, the caller's to take, or NULL. *ret_tier: which tier the launch has, also when it must wait. */
struct standby *pool_get(struct entry *entry, enum launch_tier *ret_tier);

bool pool_template_is_ready(const struct entry *entry);

/* Whether it has, or may have, a template: the memory budget allows it, or its trial needs one. Where it may not, each
 * launch is one from disk. */
bool pool_may_build(const struct entry *entry);

/* A standby for this launch only, with its terminal; tells exec_job_parked() or exec_job_report(). The template must be
 * ready. */
struct standby *pool_make_for(struct entry *entry, struct exec_job *job, int tty_fd, struct err *err);

/* n launches (or a trial) wait: makes what is missing for them. */
void pool_need(struct entry *entry, unsigned n);

/* A launch found this snapshot: noted, whatever serves it. */
void pool_asked(struct entry *entry);

void pool_published(struct entry *entry);

/* What an earlier daemon has seen of its launches; entry->last_used is known. now: seconds since 1970. */
void pool_remember(struct entry *entry, const struct arrivals *arrivals, uint64_t now);

/* What policy/ wants now, and why. */
struct pool_wish pool_wish(const struct entry *entry);

/* A standby was taken, or the wish changed: refill soon, off the launch path. */
void pool_refill_soon(struct entry *entry);

/* More of the working set is known, or another template is there: new standbys take the place of those that are parked,
 * one by one. */
void pool_renew(struct entry *entry);

/* Another template would be better - the image is stored in another order, or huge pages are due: it is made beside the
 * one that there is. */
void pool_remake(struct entry *entry);

/* From time to time: shrinks, grows and evicts as policy/pool says. */
void pool_balance(struct daemon *daemon);

struct pool_figures pool_figures(const struct entry *entry);

/* From templates and standbys. */
void pool_template_ready(struct entry *entry);
void pool_template_failed(struct entry *entry, const struct template *tmpl, const struct report *report);
void pool_standby_parked(struct standby *standby);
void pool_standby_failed(struct standby *standby, const struct report *report);

#endif
