/* SPDX-License-Identifier: MIT */
/*
 * The plugins that are installed, as a worker sees them: each lives in a process of its own (plugins/guest.h), is asked
 * over a socket, and has a limit of time for each answer. Everything that can be wrong with a plugin comes back as an
 * error that names it. Load them before any thread is made. `struct plugins *` may be NULL: there is none.
 */
#ifndef WARM_PLUGINS_PLUGINS_H
#define WARM_PLUGINS_PLUGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/warm_plugin.h"

struct err;
struct plugins;

struct plugins_place {
	const char *dir; /* NULL: `plugins` beside this program, else ../../lib/warm/plugins from there */
	const char *off; /* names that are not loaded, separated by commas; NULL: none */
};

/* Loads all that are installed; no folder is no plugin. */
int plugins_load(struct plugins **ret, const struct plugins_place *place, struct err *err);

/* Loads one more, by its name; nothing where it is there already. */
int plugins_need(struct plugins **ret, const struct plugins_place *place, const char *name, struct err *err);

/* Ends their processes. */
void plugins_free(struct plugins *plugins);

/* For people: loads each by itself, also those that are switched off, which are not loaded. */
struct plugin_told {
	const char *name, *path; /* path: "" where one is switched off that is not installed */
	const char *words;       /* what it is good for, or that it is switched off */
	uint32_t abi;            /* 0: it is switched off */
	const struct err *wrong; /* what is wrong with it; else NULL */
};
typedef void plugins_told(void *arg, const struct plugin_told *plugin);
int plugins_check(const struct plugins_place *place, plugins_told *tell, void *arg, struct err *err);

struct taken {
	size_t by;        /* number of the plugin */
	const char *name; /* until plugins_free() */
	uint32_t version;
	uint8_t *bytes; /* what it saved; malloc'ed */
	size_t len;
};

/* Asks those that want objects of this path (all of them, where it is a process), beginning with number `from`. Returns
 * 0: nobody takes it; 1: *ret says who does; or an error that names the plugin. frozen: the time counts against what
 * each may take while the program is stopped. */
int plugins_offer(struct plugins *plugins, const struct warm_object *object, bool frozen, size_t from,
                  struct taken *ret, struct err *err);

/* What a plugin says of memory: the program does not look at its bytes again before it has written them, or expects
 * nothing of them but that they were drawn at random. */
struct told {
	uint64_t start, end;
	uint64_t what; /* TOLD_* */
};
#define TOLD_UNUSED 0u
#define TOLD_RANDOM 1u

/* The program is stopped: asks those that have taken the process, or watch it. *ret is malloc'ed. */
int plugins_stopped(struct plugins *plugins, struct told **ret, size_t *ret_n, struct err *err);

/* The places (warm_plugin.h) of plugin number `by`, one after the other; last: NULL for the first. */
const char *plugins_place(const struct plugins *plugins, size_t by, const char *last);

/* The program runs again: told to those that have taken something of it. */
int plugins_resumed(struct plugins *plugins, bool captured, struct err *err);

struct planned_call {
	struct warm_call call; /* its .words are behind it */
	uint32_t copy;         /* no call: args[2] bytes are copied to args[0] from args[1] */
	char words[92];
};

struct plugin_plan {
	struct planned_call *call; /* malloc'ed */
	size_t n_calls;
	uint8_t *data; /* what the calls point to; malloc'ed */
	size_t n_data;
};

/* The part of a plan that brings one object back. base: where its data will lie, a multiple of 16. */
int plugins_plan(struct plugins *plugins, const char *name, uint32_t version, const struct warm_object *object,
                 const uint8_t *bytes, size_t len, uint64_t base, struct plugin_plan *ret, struct err *err);
void plugin_plan_fini(struct plugin_plan *plan);

#endif
