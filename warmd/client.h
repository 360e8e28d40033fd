/* SPDX-License-Identifier: MIT */
/*
 * One connection: a `warm exec`, a hook, or a verb. It may vanish at any moment; then the job that it has is told
 * (exec_job_client_gone, snap_job_client_gone, verb_client_gone) and everything of it is freed.
 */
#ifndef WARM_WARMD_CLIENT_H
#define WARM_WARMD_CLIENT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "proto/rpc.pb-c.h"
#include "warmd/peer.h"

struct client_message;
struct daemon;
struct exec_job;
struct first_run;
struct snap_job;
struct verb_job;

struct client {
	LIST_ENTRY(client) link;
	struct daemon *daemon;
	struct peer peer;
	struct caller caller;
	bool seen;   /* client_look() has been there: */
	int looked;  /* what caller_look() returned */
	bool itself; /* caller_is_itself() */
	int sock;
	uint64_t accepted_ns;
	ev_io io;
	ev_timer timer; /* until its first message */
	STAILQ_HEAD(, client_message) queue;
	size_t queued_bytes;
	bool closing; /* freed once the queue is sent */

	/* What it waits for: at most one. */
	struct exec_job *exec_job;
	struct snap_job *snap_job;
	struct verb_job *verb_job;

	struct first_run *first_run; /* a `warm exec` behind LAUNCH_RELAY */
	int notify_sock;             /* what it gets with that; -1: nothing */
	char *notify_path;           /* ... and of this name, as long as it is there */

	/* Files that the hook declared, until Ready. */
	Warm__Rpc__Depends **depends;
	size_t n_depends, n_items;
};

/* Takes sock. The first message is often there already and is served at once: the client may be gone on return.
 * crowd: it is one of many, who it is is looked at when its turn comes. */
void client_new(struct daemon *daemon, int sock, bool crowd);

/* Who it is, if that is not known yet. */
void client_look(struct client *client);

void client_free(struct client *client);

/* Sends one datagram; what the socket does not take now is queued. */
void client_send(struct client *client, const void *buf, size_t len);
void client_reply(struct client *client, const Warm__Rpc__Reply *reply);

/* The last word: the connection is closed behind it. The client may be gone on return. */
void client_close(struct client *client);
void client_reply_last(struct client *client, Warm__Rpc__Reply *reply);
void client_fail(struct client *client, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
