/* SPDX-License-Identifier: MIT */
/*
 * What warmd keeps in an image: under which conditions it serves, and which files it depends on.
 */
#ifndef WARM_WARMD_RECORD_H
#define WARM_WARMD_RECORD_H

#include <stddef.h>
#include "proto/rpc.pb-c.h"

struct err;
struct first_run;

/*
 * How many leading arguments of a launch are not the program's own, where the hook counts `fixed` in the argv of the
 * process: a `#!` line or a script that execs put others in front. process: as /proc/PID/cmdline has them. 0: the two
 * do not belong together, and a launch has to bring all arguments as they were.
 */
uint32_t record_fixed_args(const Warm__Rpc__Conditions *launch, const char *process, size_t len, uint32_t fixed);

/* The conditions with what the hook declared (ready is NULL where there was none); run->conditions is taken (NULL
 * behind it). */
int record_declare(struct first_run *run, const Warm__Rpc__Ready *ready, Warm__Rpc__Conditions **ret, struct err *err);

/*
 * Takes the summary and the files in opened (may be NULL), and the conditions where it succeeds. Files: the command,
 * what was mapped or open, what the hook declared, what was recorded. Refused where one of them changed after the run
 * has started: nobody knows which of its states the application read.
 */
int record_new(const char *id, const struct first_run *run, Warm__Rpc__Conditions *conditions,
               Warm__Rpc__Summary *summary, Warm__Rpc__Depends *const *depends, size_t n_depends,
               Warm__Rpc__Opened *opened, Warm__Rpc__Record **ret, struct err *err);

/* Packs it into a memfd. */
int record_memfd(const Warm__Rpc__Record *record, int *ret_fd, struct err *err);

#endif
