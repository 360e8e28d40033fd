/* SPDX-License-Identifier: MIT */
/*
 * One worker process and the socket on which it reports (proto/launch.h, struct report). Also a template, which is a
 * worker that stays.
 */
#ifndef WARM_WARMD_WORKER_H
#define WARM_WARMD_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "warmd/spawn/spawn.h"

struct daemon;
struct err;
struct report;
struct worker;

#define WORKER_FDS_MAX 8

/* A report, REPORT_PROGRESS included. Where the worker crashes, cannot be started, takes longer than its time or had to
 * be killed, this is a REPORT_FAILED with the text. The callee may free the worker. */
typedef void worker_cb(void *arg, const struct report *report);

struct worker_spec {
	enum spawn_program program;
	const char *const *argv;
	const int *fds; /* become 3, 4, ...; stay the caller's. The place of the report socket holds -1 */
	size_t n_fds;
	unsigned timeout_s; /* 0: none */
	bool stops_nobody;  /* a warm-snap that may be killed at any moment */
	bool outlives;      /* ends by itself when it is not needed any more: not killed */
	bool must_move;     /* killed where it stands still for some seconds: it holds a program that would, too */
	worker_cb *cb;
	void *arg;
};

struct worker *worker_start(struct daemon *daemon, const struct worker_spec *spec, struct err *err);

/* Closes the socket and, where the worker has not said its last word, kills it. */
void worker_free(struct worker *worker);

int worker_sock(const struct worker *worker);  /* for what else is said on it */
pid_t worker_pid(const struct worker *worker); /* 0: warm-spawn has not answered yet; nothing is heard from it before */
void worker_no_timeout(struct worker *worker); /* it waits for us now */

/* What a failed report says, in one line. */
void worker_reason(const struct report *report, char *reason, size_t size);

#endif
