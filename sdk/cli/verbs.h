/* SPDX-License-Identifier: MIT */
/* The verbs of `warm` other than exec. Each gets what stands behind its name and returns the exit status. */
#ifndef WARM_CLI_VERBS_H
#define WARM_CLI_VERBS_H

#include <stdbool.h>

#include "sdk/cli/rpc.h"

struct options {
	const char *socket; /* NULL: the default place */
	bool json;
};

#define EXIT_USAGE 2

int verb_ls(const struct options *options, int n, char **arg);
int verb_show(const struct options *options, int n, char **arg);
int verb_rm(const struct options *options, int n, char **arg);
int verb_gc(const struct options *options, int n, char **arg);
int verb_verify(const struct options *options, int n, char **arg);
int verb_plan(const struct options *options, int n, char **arg);
int verb_pool(const struct options *options, int n, char **arg);
int verb_stats(const struct options *options, int n, char **arg);
int verb_doctor(const struct options *options, int n, char **arg);
int verb_snapshot(const struct options *options, int n, char **arg);
int verb_restore(const struct options *options, int n, char **arg);

/* What may hold a user's bytes, made printable in place (base/utf8.h). */
const char *printable(char *text);
/* Prints the error's line, returns the exit status 1. */
int complain(const struct err *err);
/* Prints how a verb is used, returns the exit status 2. */
int wrong_usage(const char *text);

#endif
