/* SPDX-License-Identifier: MIT */
/*
 * Why the last snapshot of a command went, for the next `warm exec --explain` of it. Remembers the last few.
 */
#ifndef WARM_WARMD_RETIRED_H
#define WARM_WARMD_RETIRED_H

#include <stddef.h>
#include <stdint.h>

struct daemon;

void retired_note(struct daemon *daemon, uint32_t uid, const char *cmd, const char *reason);
void retired_forget(struct daemon *daemon, uint32_t uid, const char *cmd);
void retired_free(struct daemon *daemon);

/* Leaves *reason alone where nothing is known. */
void retired_reason(struct daemon *daemon, uint32_t uid, const char *cmd, char *reason, size_t size);

#endif
