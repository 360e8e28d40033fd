/* SPDX-License-Identifier: MIT */
/* A launch as warmd/exec_job.c, which moves it, and warmd/exec_queue.c, which finds it a standby, see it. */
#ifndef WARM_WARMD_EXEC_INTERNAL_H
#define WARM_WARMD_EXEC_INTERNAL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "proto/launch.h"
#include "warmd/cgroup.h"
#include "warmd/exec_job.h"
#include "warmd/exec_queue.h"
#include "warmd/handover.h"
#include "warmd/prewarm.h"
#include "warmd/request.h"

enum exec_state { EXEC_ASKED, EXEC_MISSED, EXEC_FOUND, EXEC_STANDING, EXEC_RUNNING, EXEC_COLD, EXEC_EXITED };

struct exec_job {
	LIST_ENTRY(exec_job) link;
	TAILQ_ENTRY(exec_job) waiting;
	struct exec_queue *queue; /* that it is in, or NULL */
	struct daemon *daemon;
	struct client *client;
	struct entry *entry;
	struct standby *standby;
	struct words *words;         /* for why the clone failed; being looked up */
	struct recording *recording; /* of a cold start: to be ON before it begins */
	char failure[ERR_MSG_MAX];   /* why the clone failed, or why there is none */
	enum exec_state state;
	struct request request;
	int claim_fd;           /* for the clone's supervisor; -1: none */
	struct cgroups cgroups; /* of the caller, where they are not warmd's */
	struct handover handover;
	struct prewarm prewarm;
	char env[sizeof(((struct launch_reply *)0)->env)]; /* for a cold start that is an interpreter's first run */
	enum launch_tier tier;
	bool teaches;                                 /* from disk, to be learnt from */
	uint64_t taken_ns, found_ns, go_ns, since_ms; /* taken_ns: LAUNCH_EXPLAIN */
	char id[24];
	ev_timer timer; /* keep-alive, and the limit of each wait */
};

/* Looks the launch up. The job may be gone on return. */
void exec_job_run(struct exec_job *job);

/* Tells the command to start the program itself. The job is gone on return. */
void exec_job_cold(struct exec_job *job, const char *reason);

/* The standby becomes this launch. The job may be gone on return. */
void exec_job_stand(struct exec_job *job, struct standby *standby);

/* Launches it from disk, to be learnt from. False: there is no loader, and nothing is changed; else the job may be gone
 * on return. */
bool exec_job_teach(struct exec_job *job);

#endif
