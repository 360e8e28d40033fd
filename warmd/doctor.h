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
void doctor_send(struct daemon *daemon, struct client *client);

#endif
