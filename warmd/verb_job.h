/* SPDX-License-Identifier: MIT */
/* A verb that workers answer: `plan`, `verify`, `doctor`. The client holds the job; whichever goes first ends the
 * other. */
#ifndef WARM_WARMD_VERB_JOB_H
#define WARM_WARMD_VERB_JOB_H

#include <stddef.h>
#include "base/id.h"

struct client;
struct daemon;
struct plan_reader;
struct worker;

struct verb_job {
	struct daemon *daemon;
	struct client *client;
	struct plan_reader *reader; /* plan */
	struct worker *worker;      /* verify, doctor */
	char (*id)[ID_LEN + 1];     /* verify */
	size_t n_id, next;
	unsigned n_bad;
};

/* NULL: out of memory, and the client knows. */
struct verb_job *verb_job_new(struct client *client);
void verb_job_free(struct verb_job *job);

#endif
