/* SPDX-License-Identifier: MIT */
/*
 * Which environment variables are looked at before the program runs: what they say is in every copy. Calls of getenv(3)
 * are seen by standing in for it; what an interpreter keeps of its own is noted by its library.
 */
#ifndef WARM_PREWARM_VARIABLES_H
#define WARM_PREWARM_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

#define VARIABLES_MAX 256

/* Whether getenv(3) is noted. */
void variables_watch(bool on);

/* Each once. "*": all of them. Too many, or no memory: all of them, too. */
void variables_note(const char *name);

/* What has been noted; stays ours. */
char *const *variables_noted(size_t *n);

#endif
