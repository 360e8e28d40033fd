/* SPDX-License-Identifier: MIT */
/*
 * What a first run opens for reading before it is ready, as warm-opened sees it. The worker is started when the first
 * recording is wanted and stays.
 *
 *     ASKED ─► ON ─► LISTING ─► LISTED ─► ON again, where it was listed so far only
 *       └───────┴───────┴─────► LOST, with the reason: no snapshot
 *
 * Where the machine cannot record (`warm doctor` says so) or the configuration does not want it, there is no recording,
 * and what the hook declares has to do.
 */
#ifndef WARM_WARMD_RECORDING_H
#define WARM_WARMD_RECORDING_H

#include <stdbool.h>
#include <sys/types.h>
#include "proto/rpc.pb-c.h"

struct daemon;
struct err;
struct recorder;
struct recording;

int recorder_new(struct daemon *daemon, struct recorder **ret, struct err *err);
void recorder_free(struct recorder *recorder);

/* NULL: there is none to be had here. */
struct recording *recording_start(struct daemon *daemon, pid_t pid);

/* Whoever waits is told that it is lost. NULL is fine. */
void recording_free(struct recording *recording);

/* Called once, when it is ON, or behind recording_list() when it is LISTED; or as soon as it is LOST. At once where it
 * is that already. cb NULL: whoever waited has gone. so_far: the run is recorded on, and is to be listed once more. */
typedef void recording_cb(void *arg);
void recording_wait(struct recording *recording, recording_cb *cb, void *arg);
void recording_list(struct recording *recording, bool so_far, recording_cb *cb, void *arg);

/* The list, the caller's from here on. Fails with the reason where the recording was lost. */
int recording_take(struct recording *recording, Warm__Rpc__Opened **ret, struct err *err);

#endif
