/* SPDX-License-Identifier: MIT */
/*
 * Processes that `warm exec` became after a miss and that may call the hook, or be found ready (warmd/ready.h). Only
 * they are snapshotted: not their children, not nested programs. Ends with the process.
 */
#ifndef WARM_WARMD_FIRST_RUN_H
#define WARM_WARMD_FIRST_RUN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include "base/digest.h"
#include "policy/launch.h"
#include "proto/launch.h"
#include "proto/rpc.pb-c.h"
#include "warmd/ready.h"

struct client;
struct daemon;
struct err;
struct peer;
struct prewarm;
struct recording;
struct request;

struct first_run_fd {
	int number;
	uint64_t dev, ino;
};

struct first_run {
	LIST_ENTRY(first_run) link;
	struct daemon *daemon;
	pid_t pid;
	int pidfd;
	ev_io io;
	int64_t started_ns; /* CLOCK_REALTIME: a file that changed later may have been read in either state */
	char program[DIGEST_HEX_SIZE]; /* "", or what an adopted one executed when its conditions were read */
	char *name;
	char *ready; /* how it is found ready, in words: "after:2"; "" by its hook */
	struct ready ready_when;
	struct first_run_fd fd[LAUNCH_FDS_MAX]; /* what it was started with: the launch's, not the snapshot's */
	unsigned n_fds;
	Warm__Rpc__Conditions *conditions;
	Warm__Rpc__Conditions *interpreter; /* it becomes a snapshot of this kind first; NULL: it does not */
	struct recording *recording;        /* of what it opens; NULL: there is none */
	struct client *client;              /* the `warm exec` that stands behind it (warmd/relayed.h), or NULL */
	char *notify;                       /* its NOTIFY_SOCKET, if that is one of ours; else NULL */
	bool adopted;                       /* `warm snapshot` of a process that was started without us */
	bool said_ready;                    /* to that */
	struct launch_traits launched, own; /* what it was started with, and has when it is snapshotted */
	bool traits_known;                  /* both of them, but not of an adopted one */
};

/* The client's process is about to start cold. Refused, with the reason, where another first run of the same launch is
 * under way. Returns 0 or -errno. Its recording may not be ON yet. */
int first_run_register(struct client *client, const struct request *request, const Warm__Rpc__Conditions *conditions,
                       struct first_run **ret, struct err *err);

/* What was registered as a `warm exec` is this child of it, with the descriptors that it has now. 0 or -errno. */
int first_run_becomes(struct first_run *run, const struct peer *peer, struct err *err);

/* A process that was started otherwise, and since when it runs. */
int first_run_adopt(struct daemon *daemon, const struct peer *peer, const Warm__Rpc__Conditions *conditions,
                    int64_t started_ns, struct first_run **ret, struct err *err);

/* The first run that this process is, or NULL. */
struct first_run *first_run_of_pid(struct daemon *daemon, pid_t pid);
/* Its interpreter is to be snapshotted before its program. false: no memory, it is not. */
bool first_run_prewarms(struct first_run *run, const struct prewarm *prewarm);

/* A run of the interpreter alone, on no list; the run stays one of its program, and the recording stays with it. NULL:
 * out of memory or descriptors. */
struct first_run *first_run_split(struct first_run *run);

/* The first run that the client's process is and whose hook is waited for, or NULL. */
struct first_run *first_run_of(const struct client *client);

/* Its process has ended, or who stands behind it: it goes, and what it has not said is remembered for the next launch.
 */
void first_run_gone(struct first_run *run);

/* Takes it off the list (snap_job has it from here on), frees it. */
void first_run_take(struct first_run *run);
void first_run_free(struct first_run *run);
void first_run_forget(struct first_run *run); /* both */

#endif
