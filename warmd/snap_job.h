/* SPDX-License-Identifier: MIT */
/*
 * One snapshot, from the hook's Ready (or what stands for it: warmd/ready.h) to a published image.
 *
 *     ASKED ─► ADMITTED ─► TAKING ─► STORING ─► TRIAL ─► PUBLISHED
 *       │         │          │ warm-snap  │ warm-store  │ a template and one standby,
 *       │         │          │            │             │ compared with the image (warmd/trial.h)
 *       └─────────┴──────────┴────────────┴─────────────┴──► REFUSED, with the reason
 *
 *     moves: each state to the next one or to REFUSED
 *
 * The hook's Hello is answered before there is a job: PENDING or COLD. Ready is answered once: RESUMED as soon as the
 * application runs again (REPORT_RELEASED), COLD with the reason where there is nothing to come back from. What fails
 * behind that is logged and kept as the reason of the entry. Invariant: client != NULL until the hook is answered or
 * its process is gone, NULL where there is no hook; entry != NULL from TRIAL on.
 */
#ifndef WARM_WARMD_SNAP_JOB_H
#define WARM_WARMD_SNAP_JOB_H

#include <stdbool.h>
#include "proto/rpc.pb-c.h"

struct client;
struct daemon;
struct err;
struct first_run;
struct snap_job;
struct standby;

/* The hook: whether a snapshot of this process is wanted, at once. The client may be gone on return. */
void snap_job_hello(struct client *client, const Warm__Rpc__Hello *hello);

/* The hook is ready. Takes ready. The client may be gone on return. */
void snap_job_start(struct client *client, Warm__Rpc__Ready *ready);
void snap_job_client_gone(struct snap_job *job);

/* A program that knows nothing of us is as ready as it was to be. Takes the run. */
void snap_job_found_ready(struct first_run *run);

/*
 * `warm snapshot PID`: as it is now. Takes the run. The client hears the id once it is published, or why it is not;
 * with `stop` the process is frozen until then and ended behind it, or runs on where there is no snapshot, and where
 * the client or warmd goes first. A snapshot that serves the same launch makes room.
 */
void snap_job_take_process(struct client *client, struct first_run *run, const char *name, bool stop);

/* From the pool, of an entry in TRIAL: its first standby, which is the job's now; or why there is none. The entry may
 * be gone on return. */
void snap_job_trial_parked(struct snap_job *job, struct standby *standby);
void snap_job_trial_failed(struct snap_job *job, const char *reason);

/* Whether there is no snapshot for these conditions, in any state, and none on its way. *err: else. */
bool snap_job_is_new(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, struct err *err);

/* Whether the image of this id is being written right now. */
bool snap_job_storing(struct daemon *daemon, const char *id);

#endif
