/* SPDX-License-Identifier: MIT */
/*
 * Between a worker (plugins/plugins.c) and the process that runs a plugin's code for it (plugins/host.c): one datagram
 * either way for each question; what is long lies in a memfd that both have. Private to plugins/.
 */
#ifndef WARM_PLUGINS_WIRE_H
#define WARM_PLUGINS_WIRE_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugins/warm_plugin.h"

#define WORDS_MAX  160
#define BYTES_MAX  (256u << 20) /* of one object, either way */
#define CALLS_MAX  65536u
#define DATA_ALIGN 16u

enum ask_kind { ASK_OFFER = 1, ASK_RESUMED = 2, ASK_PLAN = 3, ASK_STOPPED = 4 };

/* With ASK_OFFER: [0] the description, where object.local is not -1. In the memfd: what was saved (ASK_PLAN). */
struct ask {
	uint32_t kind;
	uint32_t version;  /* ASK_PLAN */
	uint32_t captured; /* ASK_RESUMED */
	uint32_t pad;
	uint64_t len;              /* bytes in the memfd */
	uint64_t base;             /* ASK_PLAN: where its data will lie */
	struct warm_object object; /* path: see below */
	char path[PATH_MAX];
};

enum answer_kind {
	ANSWER_FAILED = 1, /* words say why: it cannot be loaded, its table is wrong, it ran out of memory */
	ANSWER_LOADED = 2, /* in the memfd, each with its NUL: words, paths, an empty one, places */
	ANSWER_OFFER = 3,  /* result; in the memfd: what it saved */
	ANSWER_RESUMED = 4,
	ANSWER_PLAN = 5,    /* result; in the memfd: its data, then n_calls struct planned_call */
	ANSWER_STOPPED = 6, /* result; in the memfd: struct told, one after the other */
	ANSWER_LATER = 7,   /* more_ms */
};

struct answer {
	uint32_t kind;
	int32_t result; /* enum warm_answer */
	uint32_t version, oldest;
	uint32_t n_calls;
	uint32_t more_ms;
	uint64_t len; /* bytes in the memfd, without the calls */
	char words[WORDS_MAX];
};

#endif
