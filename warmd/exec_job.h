/* SPDX-License-Identifier: MIT */
/*
 * One launch, from the request until the clone runs or the command is told to start cold itself.
 *
 *     ASKED ──snapshot found──► FOUND ──standby──► STANDING ──REPORT_RUNNING──► RUNNING ─► EXITED
 *       │                         │ waits for one:    │ GO is sent; with a terminal,
 *       │ miss                    │ LAUNCH_PENDING    │ or from another control group,
 *       │                         │                   │ the supervisor goes first
 *       │                         │ (on a terminal: for its own)
 *       └─────────────────────────┴─── failure ───────┴─────────► COLD ─► EXITED
 *
 *     moves: ASKED → FOUND COLD · FOUND → STANDING COLD · STANDING → RUNNING COLD · RUNNING, COLD → EXITED
 *
 * The client is answered exactly once with RUNNING or COLD_START, whatever happens. The daemon only hands the token on:
 * if its answer is wrong or late, the token still lets exactly one of clone and cold start run. EXITED is the end of
 * the job, not of the program: a running clone needs warmd for nothing. Invariant: standby != NULL in STANDING, and in
 * FOUND while one is made for this launch; NULL in STANDING while the words for its failure are looked up;
 * entry != NULL in FOUND and STANDING only (NULL there: it went meanwhile).
 */
#ifndef WARM_WARMD_EXEC_JOB_H
#define WARM_WARMD_EXEC_JOB_H

#include <stdbool.h>
#include <stddef.h>

struct client;
struct daemon;
struct entry;
struct exec_job;
struct report;

/* Serves a launch. Takes the descriptors; the client may be gone on return. */
void exec_job_start(struct client *client, const void *msg, size_t len, const int *fds, size_t n_fds);
void exec_job_client_gone(struct exec_job *job);

/* From the job's standby; the first only of one that was made for it. */
void exec_job_parked(struct exec_job *job);
void exec_job_report(struct exec_job *job, const struct report *report, bool supervisor);

/* From the pool. */
unsigned exec_jobs_waiting(const struct entry *entry);
void exec_jobs_serve(struct entry *entry);
void exec_jobs_pool_failed(struct entry *entry, const char *reason);

/* From the loaders: one more can be taken; none can be started. */
void exec_jobs_loader_parked(struct daemon *daemon);
void exec_jobs_loader_failed(struct daemon *daemon, const char *reason);

#endif
