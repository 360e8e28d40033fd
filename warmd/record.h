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

/* The conditions with what the hook declared; run->conditions is taken (NULL behind it). */
int record_declare(struct first_run *run, const Warm__Rpc__Ready *ready, Warm__Rpc__Conditions **ret, struct err *err);

/*
 * Takes conditions and summary. Files: the command, what was mapped or open, what the hook declared. Refused where one
 * of them changed after since_ns: nobody knows which of its states the application read.
 */
int record_new(const char *id, const char *name, Warm__Rpc__Conditions *conditions, Warm__Rpc__Summary *summary,
               Warm__Rpc__Depends *const *depends, size_t n_depends, int64_t since_ns, Warm__Rpc__Record **ret,
               struct err *err);

/* Packs it into a memfd. */
int record_memfd(const Warm__Rpc__Record *record, int *ret_fd, struct err *err);

#endif
