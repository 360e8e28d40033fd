/* SPDX-License-Identifier: MIT */
/*
 * A first run that `warm exec` stands behind: the program is a child of its supervisor, and what shows that it is ready
 * comes by way of `warm exec` (proto/launch.h, relay_word).
 *
 *     registered as `warm exec` ── LAUNCH_RELAY ──► RELAY_STARTED: it is that child ── RELAY_GO ──► RELAY_READY: a
 * snapshot └───────────────────────────── the connection's end: no first run ─────────────────────────┘
 *
 * Invariant: client->first_run->client == client, as long as the run is on the list.
 */
#ifndef WARM_WARMD_RELAYED_H
#define WARM_WARMD_RELAYED_H

#include <stddef.h>

struct client;
struct launch_reply;

/* The last answer to the launch, with what the command needs. Where it cannot be sent, the command starts cold. */
void relayed_answer(struct client *client, const struct launch_reply *reply);

/* Takes the descriptors. The client may be gone on return. */
void relayed_heard(struct client *client, const void *msg, size_t len, const int *fds, size_t n_fds);
void relayed_client_gone(struct client *client);

#endif
