/* SPDX-License-Identifier: MIT */
/*
 * What of a launch may name a file, as it is spelled there: the command, the arguments and variables that count, and
 * parts of them (`--config=PATH`, `-I/PATH`, `A:B`). Nobody looks whether there is such a file. Pure.
 */
#ifndef WARM_POLICY_NAMES_H
#define WARM_POLICY_NAMES_H

#include "proto/rpc.pb-c.h"

/* path: absolute, by way of the working directory where it is not written so; may come more than once. A value other
 * than 0 ends the walk and is returned. */
typedef int names_fn(void *arg, const char *path);

/* What the application declared to be the launch's does not count, nor what is never looked at (ignored_env: as
 * key_ignored_env; NULL: that). */
int names_each(const Warm__Rpc__Conditions *conditions, const char *const *ignored_env, names_fn *fn, void *arg);

#endif
