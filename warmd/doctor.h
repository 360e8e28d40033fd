/* SPDX-License-Identifier: MIT */
/*
 * What this kernel and this user can do, and what each missing thing costs. Looked at once, before warmd confines
 * itself.
 */
#ifndef WARM_WARMD_DOCTOR_H
#define WARM_WARMD_DOCTOR_H

struct client;
struct daemon;

/* Fills daemon->check and daemon->machine. */
void doctor_examine(struct daemon *daemon);

/* Answers the client, which may be gone on return. */
void doctor_send(struct daemon *daemon, struct client *client);

/* The rest of the answer (doctor_job.c). */
void doctor_ask_workers(struct client *client);

#endif
