/* SPDX-License-Identifier: MIT */
/*
 * A first run that `warm exec` stands behind, because of what it prints (--ready stdout:) or says to its NOTIFY_SOCKET:
 * the program is a child of its supervisor, and what shows that it is ready comes by way of `warm exec`
 * (proto/launch.h, relay_word).
 *
 *     registered as `warm exec` ── LAUNCH_RELAY ──► RELAY_STARTED: it is that child ── RELAY_GO ──► RELAY_READY,
 *            │                                                                   RELAY_NOTIFIED: a snapshot
 *            └──────────────── the connection's end: no first run ─────────────────────┘
 *
 * Invariant: client->first_run->client == client, as long as the run is on the list.
 */
#ifndef WARM_WARMD_RELAYED_H
#define WARM_WARMD_RELAYED_H

#include <stddef.h>

struct client;
struct err;
struct first_run;
struct launch_reply;
struct request;

/* Whether `warm exec` has to stand behind this first run, just registered; then what it needs is made. 0 or -errno. */
int relayed_begin(struct client *client, struct first_run *run, const struct request *request, struct err *err);

/* The last answer to the launch, with what the command needs. Where it cannot be sent, the command starts cold. */
void relayed_answer(struct client *client, struct launch_reply *reply);

/* Takes the descriptors. The client may be gone on return. */
void relayed_heard(struct client *client, const void *msg, size_t len, const int *fds, size_t n_fds);
void relayed_client_gone(struct client *client);

#endif
