/* SPDX-License-Identifier: MIT */
/*
 * A clone that waits for its launch: the application, all threads parked, and its supervisor, each on a socket of ours.
 * A copy of a template (standby_make()), or made from disk for one launch (standby_load()).
 *
 *     standby_make() ──► MAKING ──both have reported──► PARKED ──standby_take()──► TAKEN ──► standby_free()
 *                           └─────────┴── one fails or closes ──► pool_standby_failed()
 *     From TAKEN on everything that it says goes to the exec_job that has it; for one that is made for a launch (on a
 *     terminal) that is so from the start, and it is never on the pool's list.
 */
#ifndef WARM_WARMD_STANDBY_H
#define WARM_WARMD_STANDBY_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "policy/launch.h"
#include "warmd/words.h"

struct entry;
struct err;
struct exec_job;
struct loader;
struct report;
struct template;

enum standby_state { STANDBY_MAKING, STANDBY_PARKED, STANDBY_TAKEN };

struct standby {
	LIST_ENTRY(standby) link; /* of the entry's pool, until taken */
	struct entry *entry;      /* NULL once taken: the entry may go */
	struct exec_job *job;     /* TAKEN, or made for this launch */
	struct ev_loop *loop;
	enum standby_state state;
	unsigned parked; /* bit 0: the application, bit 1: the supervisor */
	int go_fd, sup_fd;
	uint64_t started_ns, bytes;
	unsigned round; /* of its pool, when it was begun */
	pid_t pid;      /* of the application, as seen from here; 0: not known yet */
	struct launch_traits traits;
	ev_io go_io, sup_io;
	ev_timer timer;
	struct loader *loader; /* that it is becoming, from disk */
	uint32_t placed_pages; /* ... before it parked */
	enum plan_kind plan;   /* PLAN_TEMPLATE: it is a copy of one */
};

/* tty_fd: slave of the pty that becomes its controlling terminal, or -1. It stays the caller's. hurry: a launch waits;
 * it touches nothing ahead. */
struct standby *standby_make(struct entry *entry, struct template *tmpl, int tty_fd, bool hurry, struct err *err);

/* The same from disk, without a template, for this launch. The loader is its own from here on, also on failure. */
struct standby *standby_load(struct entry *entry, struct exec_job *job, struct loader *loader, int tty_fd,
                             struct err *err);

/* From its loader: it has ended, and left the rest to what it made; or it failed, and the launch with it. */
void standby_loaded(struct standby *standby, uint64_t placed_bytes);
void standby_load_failed(struct standby *standby, const struct report *report);

/* Ends what is parked there (its sockets close); harmless to a clone that runs. */
void standby_free(struct standby *standby);

void standby_take(struct standby *standby, struct exec_job *job);

/* Somebody else listens to it from here on (the trial). */
void standby_lend(struct standby *standby);

#endif
