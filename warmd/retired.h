/* SPDX-License-Identifier: MIT */
/*
 * Why the last snapshot for a launch went, or why there was none, for its next `--explain`. Remembers the last few.
 */
#ifndef WARM_WARMD_RETIRED_H
#define WARM_WARMD_RETIRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/rpc.pb-c.h"

struct daemon;

void retired_note(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason);
void retired_note_cmd(struct daemon *daemon, uint32_t uid, const char *cmd,
                      const char *reason); /* of which no more is known */
/* A first run that ended and had not said that it was ready: the whole reason, in words. */
void retired_note_silent(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason);
void retired_forget(struct daemon *daemon, const Warm__Rpc__Conditions *conditions);
void retired_free(struct daemon *daemon);

/* Leaves *reason alone where nothing is known. true: it is about a snapshot, or a first run, of this very launch. */
bool retired_reason(struct daemon *daemon, const Warm__Rpc__Conditions *now, char *reason, size_t size);

#endif
