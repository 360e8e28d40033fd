/* SPDX-License-Identifier: MIT */
/*
 * What lives as long as warmd. Made in main.c, handed to every job; the modules keep their own state in their part.
 * Everything runs in one thread, in the loop, and nothing in the loop waits: see docs/ARCHITECTURE.md.
 */
#ifndef WARM_WARMD_DAEMON_H
#define WARM_WARMD_DAEMON_H

#include <ev.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>
#include "base/cpu.h"
#include "base/kernel.h"
#include "proto/rpc.pb-c.h"
#include "warmd/config.h"
#include "warmd/exec_queue.h"
#include "warmd/peer.h"
#include "warmd/stats.h"

struct catalog;
struct client;
struct entry;
struct exec_job;
struct first_run;
struct learnt;
struct listener;
struct loaders;
struct offered;
struct prewarmed;
struct recorder;
struct retired;
struct snap_job;
struct spawner;
struct store;
struct watch;

/* Who this daemon is and what its kernel can do: read once at the start. */
struct machine {
	char cpu[CPU_IDENTITY_MAX];
	char kernel[KERNEL_IDENTITY_MAX];
	uint64_t mnt_ns, root_dev, root_ino; /* warmd's own: files are looked at from here */
	bool labels;                         /* a security module labels processes: */
	char label[LABEL_MAX];               /* ... its label of this one */
	char cgroup[CGROUP_TEXT_MAX];        /* the control groups that it and all that it starts are in */
	bool records;                        /* opened files can be recorded */
	bool hot;                            /* nothing that hot launches need is missing */
	char cold_reason[200];               /* else: what is */
};

struct daemon {
	struct ev_loop *loop;
	struct config config;
	struct machine machine;
	struct stats stats;
	Warm__Rpc__Check **check; /* what `warm doctor` shows */
	size_t n_check;

	struct store *store;
	struct catalog *catalog;
	struct spawner *spawner;
	struct watch *watch;
	struct recorder *recorder;
	struct listener *listener;
	struct loaders *loaders;
	int init_fd;                /* warm-init, for templates to execveat */
	char claims[PATH_MAX + 16]; /* a file for warmd/claim.h to lock */
	char notify_dir[PATH_MAX];  /* for warmd/notify.h; "": there is none */

	LIST_HEAD(, entry) entries; /* newest first */
	LIST_HEAD(, client) clients;
	LIST_HEAD(, first_run) first_runs;
	LIST_HEAD(, exec_job) exec_jobs;
	struct exec_queue asked; /* warmd/admission.c */
	ev_timer admit;
	LIST_HEAD(, snap_job) snap_jobs;
	TAILQ_HEAD(retired_list, retired) retired;
	struct {                /* warmd/prewarm.c */
		char dir[200];  /* of the interpreters' libraries; "": none is pre-warmed */
		bool root_only; /* others cannot read them */
		TAILQ_HEAD(, learnt) learnt;
		LIST_HEAD(, prewarmed) copies;
		TAILQ_HEAD(, offered) offered;
		unsigned n_learnt, n_copies, n_offered;
	} prewarm;
	unsigned n_clients, n_retired[2]; /* by retired.silent */

	bool embedded;
	bool stopping;
	uint64_t generation;   /* of the last clone: never given twice, not even by a later daemon */
	uint64_t last_used_ms; /* of the last launch or request */
	ev_signal on_term, on_int, on_hup;
	ev_timer housekeeping, sweep;
};

static inline uint64_t daemon_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline uint64_t daemon_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
