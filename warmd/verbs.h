/* SPDX-License-Identifier: MIT */
/*
 * What people ask of the cache: list, show, rm, plan, gc, verify, pool. Root sees every snapshot, others their own.
 * Those that need a worker (plan, verify, doctor) hold the client until it has ended.
 */
#ifndef WARM_WARMD_VERBS_H
#define WARM_WARMD_VERBS_H

#include <stddef.h>
#include <stdint.h>

struct client;
struct verb_job;

/* Each answers the client, which may be gone on return. */
void verb_list(struct client *client);
void verb_show(struct client *client, const char *key);
void verb_remove(struct client *client, char *const *key, size_t n);
void verb_plan(struct client *client, const char *key);
void verb_gc(struct client *client);
void verb_verify(struct client *client, char *const *key, size_t n);
void verb_pool(struct client *client, const char *key, int32_t standbys);

void verb_client_gone(struct verb_job *job);

#endif
