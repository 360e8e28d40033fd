/* SPDX-License-Identifier: MIT */
/*
 * `warmd` as a person types it: puts warm-spawn in front of the real one and, unless --foreground, in the background.
 */
#ifndef WARM_WARMD_FRONT_H
#define WARM_WARMD_FRONT_H

#include <limits.h>

struct err;
struct options;

/* Becomes warm-spawn, or returns the exit status. */
int front_run(const struct options *options);

/* Path of a program of Warm: beside this one, else in ../libexec/warm. */
int front_program(const char *name, char path[PATH_MAX], struct err *err);

#endif
