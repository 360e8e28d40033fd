/* SPDX-License-Identifier: MIT */
/* Private to warmd/snap_*.c: a job as both its beginning (snap_begin.c) and what becomes of it (snap_job.c) see it. */
#ifndef WARM_WARMD_SNAP_INTERNAL_H
#define WARM_WARMD_SNAP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include "base/err.h"
#include "base/id.h"
#include "proto/rpc.pb-c.h"
#include "warmd/served.h"

struct client;
struct daemon;
struct entry;
struct first_run;
struct recording;
struct trial;
struct worker;

enum snap_state { SNAP_ASKED, SNAP_ADMITTED, SNAP_TAKING, SNAP_STORING, SNAP_TRIAL, SNAP_PUBLISHED, SNAP_REFUSED };

struct snap_job {
	LIST_ENTRY(snap_job) link;
	struct daemon *daemon;
	struct client *client;
	enum snap_state state;
	char id[ID_LEN + 1];
	struct first_run *run;
	Warm__Rpc__Ready *ready;
	Warm__Rpc__Conditions *conditions; /* until the record has them */
	Warm__Rpc__Depends **depends;
	size_t n_depends;
	int meta_fd, summary_fd, pages_fd;
	struct worker *worker;
	bool asked;        /* by `warm snapshot`: the client waits for the end */
	bool stop;         /* ... and the process is to end with it */
	unsigned n_served; /* ... which hears that, too */
	char served[SERVED_NOTES_MAX][ERR_MSG_MAX];
	bool unwanted;             /* another snapshot is there, or comes first: refused, but not for a failure */
	struct worker *holder;     /* the warm-snap that keeps it frozen until then */
	bool captured;             /* the image is there */
	struct recording *listing; /* warm-opened has been asked, and has not answered; else NULL */
	char lost[ERR_MSG_MAX];    /* why it is not known what was opened; "": it is */
	Warm__Rpc__Opened *opened; /* until the record has it */
	const char *kept;          /* which random numbers its copies share, for who has asked; NULL: none */
	Warm__Rpc__Record *record; /* until the entry has it */
	struct entry *entry;
	struct trial *trial;
};

void snap_job_move(struct snap_job *job, enum snap_state to);

/* Starts warm-snap: ADMITTED → TAKING is then the caller's. */
int snap_job_take(struct snap_job *job, struct err *err);

/* The job is gone on return. */
void snap_job_refuse(struct snap_job *job, const char *reason);

/* The last word to a hook. The client may be gone on return. */
void snap_answer_hook(struct client *client, Warm__Rpc__Outcome outcome, const char *reason);

/* Whoever asks the next launch why it is cold hears it, too. */
void snap_note_refusal(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason);

#endif
