/* SPDX-License-Identifier: MIT */
/*
 * Interpreters pre-warmed for programs that never call the hook. A launch of `python3 FILE` (or of a script whose `#!`
 * line says so) is served, in this order, by
 *
 *     the program's own snapshot ─miss─► the interpreter's snapshot ─miss─► a cold start: the interpreter's first run,
 *                                                                          stopped just before the program
 *
 * The key of an interpreter's snapshot is conditions of its own (prewarm.conditions): the interpreter as the command,
 * its own words as arguments, the variables that it reads before the program, and `interpreter` set, so that neither
 * kind of snapshot is ever taken for the other.
 *
 * A program that calls the hook gets a snapshot of its own: in an interpreter's first run at once, that is still one of
 * the program. In a copy the hook says COLD, and the program is remembered (prewarm_learn): its next launch is a plain
 * first run. So is one of a program that had a snapshot: its file may have changed.
 */
#ifndef WARM_WARMD_PREWARM_H
#define WARM_WARMD_PREWARM_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/digest.h"
#include "policy/interp.h"
#include "proto/rpc.pb-c.h"

struct caller;
struct client;
struct config;
struct daemon;
struct prewarmed;
struct request;

#define PREWARM_COMM_MAX 16

/* A launch of an interpreter. */
struct prewarm {
	const struct interp *interp;      /* NULL: it is none, or it cannot be pre-warmed */
	const char *why;                  /* why not; NULL: it is none, or that is switched off */
	Warm__Rpc__Conditions conditions; /* its strings are the caller's, the request's, the daemon's, or below */
	const char **argv;                /* as the interpreter gets it */
	size_t n_argv;
	char comm[PREWARM_COMM_MAX]; /* as the kernel names the process */
	struct digest program;       /* what is run: by whom, and what */
	struct interp_line line;
	char *head, *found; /* of a script: its first line; the interpreter in $PATH */
	ProtobufCBinaryData *words;
};

/* Whether the launch starts an interpreter that this daemon pre-warms; ret->interp says so. To be finished in any
 * case. */
void prewarm_look(struct daemon *daemon, const struct caller *caller, const struct request *request,
                  struct prewarm *ret);
void prewarm_fini(struct prewarm *prewarm);

/* Whether the program is known to call the hook itself. */
bool prewarm_has_own(struct daemon *daemon, const struct prewarm *prewarm);
void prewarm_learn(struct daemon *daemon, const struct digest *program);
/* The same of what a program's own snapshot is made under. */
void prewarm_learn_conditions(struct daemon *daemon, const Warm__Rpc__Conditions *conditions);

/* Whether the first run of this launch is to become an interpreter's snapshot. *ret_env: what is put in front of a
 * variable of its environment (struct launch_reply). Where nothing came of it so far, it is offered after a pause only,
 * which doubles: what cannot be taken must not cost every launch a freeze. */
bool prewarm_offer(struct daemon *daemon, const struct prewarm *prewarm, char *ret_env, size_t size);
/* The same for one whose own snapshot is to be taken without its hook: what goes along with it (struct interp:
 * companion). Empty: nothing does. */
void prewarm_accompany(struct daemon *daemon, const struct caller *caller, const struct request *request, char *ret_env,
                       size_t size);
/* Something has come of it. */
void prewarm_published(struct daemon *daemon, const Warm__Rpc__Conditions *conditions);

/* Whether the process still is the interpreter: what was started by its name may have executed another one. */
bool prewarm_is_itself(pid_t pid, const Warm__Rpc__Conditions *interpreter);

/* What is loaded into it first: names, NULL at the end. */
char **prewarm_modules(struct daemon *daemon, const Warm__Rpc__Conditions *interpreter);

/* A process that is a copy of an interpreter: noted until it ends, so that its hook is understood. pid: as seen from
 * here. */
void prewarm_running(struct daemon *daemon, pid_t pid, const struct prewarm *prewarm);
/* Its hook has called: the program is learnt. false: it is no copy of an interpreter. */
bool prewarm_hook_called(const struct client *client);
void prewarm_free(struct daemon *daemon);

/* Finds the directory of the interpreters' libraries, once. */
void prewarm_init(struct daemon *daemon);

#endif
