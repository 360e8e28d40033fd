/* SPDX-License-Identifier: MIT */
/*
 * warmd.conf: `[section]`, `key = value`, `#` comments. Lists are separated by blanks or commas.
 *
 *     [exec]   never-warm = sudo su ...   base names of commands that always start cold
 *     [cache]  max-age = 14d              images older than this are not served (s, m, h, d)
 *     [pool]   budget = 25%               memory of templates and standbys (a share of all memory, or 512M, 2G)
 *              huge-pages = auto          or no, always: whether templates are in huge pages
 *     [snapshot] record-opened = yes      whether files that a program opens before it is ready are recorded
 *              random = renew             or keep: whether OpenSSL's random numbers are the same in each copy
 *     [plugins] dir = /path               another folder of plugins; disable = name ...   those that are not loaded
 *     [python] prewarm = yes              stop it before programs that do not call the hook; [node] likewise
 *              preload = json re ...      modules that are loaded before
 *              keep-env = DJANGO_* ...    environment variables that these look at
 *     [key]    ignore-env = PWD SSH_* ... environment variables that are never looked at
 */
#ifndef WARM_WARMD_CONFIG_H
#define WARM_WARMD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy/huge.h"
#include "policy/interp.h"

struct err;

/* How an interpreter is pre-warmed. */
struct config_interp {
	bool prewarm;
	char **preload;  /* modules */
	char **keep_env; /* variables that they look at: NAME or PREFIX* */
	/* Made of the others by config_settle(): */
	char *identity;         /* a snapshot with another one is not used */
	char **env_from_launch; /* as in rpc.proto's Conditions */
	size_t n_env_from_launch;
};

struct config {
	char **never_warm; /* NULL at the end, as ignore_env */
	char **ignore_env;
	uint64_t max_age_s;
	uint64_t budget_bytes;
	enum huge_mode huge;
	bool record_opened;
	bool random_kept;
	const char *fork;  /* how warm-snap reads memory: "always", "no", or NULL: as it sees fit */
	char *plugins_dir; /* NULL: where workers look by themselves */
	char *plugins_off; /* names, separated by commas, or NULL */
	struct config_interp python, node, java;
};

#define CONFIG_PLUGIN_ARGS 4 /* at most */

/* What workers are told of plugins: appended to a command line, which ends with NULL again. They stay the
 * configuration's. Returns how many. */
size_t config_plugin_args(const struct config *config, const char **argv);

/* What holds without a file. */
int config_init(struct config *config, struct err *err);
void config_fini(struct config *config);

/* Reads `path` over it. must_exist: whether a missing file is an error. The error names file, line and word. */
int config_read(struct config *config, const char *path, bool must_exist, struct err *err);

/* The same from text, for tests. */
int config_parse(struct config *config, const char *name, char *text, struct err *err);

/* Once all is read. */
int config_settle(struct config *config, struct err *err);

/* Those of an interpreter. */
struct config_interp *config_interp(struct config *config, enum interp_kind kind);

bool config_never_warm(const struct config *config, const char *cmd);

#endif
