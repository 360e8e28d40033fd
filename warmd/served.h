/* SPDX-License-Identifier: MIT */
/*
 * Which launches a snapshot serves that `warm snapshot` has taken of a process: in words, where a plain launch from
 * where that was typed will not be one of them.
 */
#ifndef WARM_WARMD_SERVED_H
#define WARM_WARMD_SERVED_H

#include <stdint.h>
#include "base/err.h"
#include "proto/rpc.pb-c.h"

#define SERVED_NOTES_MAX 2

/* conditions: what was read of the process; sig_ignored: by who has asked. Returns how many notes. */
unsigned served_notes(const Warm__Rpc__Conditions *conditions, uint64_t sig_ignored,
                      char ret_note[SERVED_NOTES_MAX][ERR_MSG_MAX]);

#endif
