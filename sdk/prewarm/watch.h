/* SPDX-License-Identifier: MIT */
/*
 * Which environment variables Python code looks at before the program: site.py's, sitecustomize's, those of .pth files,
 * of modules that are loaded. os.environ is an object around a dictionary of posix; while this watches, that dictionary
 * is one that takes notes. From C: variables.h.
 */
#ifndef WARM_PREWARM_WATCH_H
#define WARM_PREWARM_WATCH_H

#include <stdbool.h>

struct python_api;

/* Before the interpreter is initialised: watches from the moment when the os module is about to be loaded. */
void watch_begin(const struct python_api *api);

/* Initialised: watches in any case. Returns the notes, a set of bytes that is the caller's; NULL: it does not work
 * here. */
void *watch_notes(void);

#endif
