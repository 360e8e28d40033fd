/* SPDX-License-Identifier: MIT */
#include "warmd/retired.h"

#include "base/err.h"
#include "policy/key.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETIRED_MAX 64 /* of either kind */

struct retired {
	TAILQ_ENTRY(retired) link;
	uint32_t uid;
	bool silent;                       /* there was no snapshot: the first run did not say that it was ready */
	Warm__Rpc__Conditions *conditions; /* of the snapshot; NULL: not known */
	char reason[ERR_MSG_MAX];
	char cmd[];
};

/* The last snapshot of the program, under whatever conditions. */
static struct retired *find(struct daemon *daemon, const Warm__Rpc__Conditions *now)
{
	struct retired *one;

	TAILQ_FOREACH_REVERSE(one, &daemon->retired, retired_list, link)
	{
		if (one->silent)
			continue;
		if (one->conditions ? key_is_comparable(one->conditions, now)
		                    : one->uid == now->uid && !strcmp(one->cmd, now->cmd))
			return one;
	}
	return NULL;
}

static struct retired *find_same(struct daemon *daemon, const Warm__Rpc__Conditions *conditions)
{
	struct retired *one;

	TAILQ_FOREACH_REVERSE(one, &daemon->retired, retired_list, link)
	{
		if (one->conditions && conditions_same(daemon, one->conditions, conditions))
			return one;
	}
	return NULL;
}

static void drop(struct daemon *daemon, struct retired *one)
{
	if (!one)
		return;
	TAILQ_REMOVE(&daemon->retired, one, link);
	daemon->n_retired[one->silent]--;
	if (one->conditions)
		warm__rpc__conditions__free_unpacked(one->conditions, NULL);
	free(one);
}

static struct retired *oldest(struct daemon *daemon, bool silent)
{
	struct retired *one;

	TAILQ_FOREACH(one, &daemon->retired, link)
	{
		if (one->silent == silent)
			return one;
	}
	return NULL;
}

static void note(struct daemon *daemon, uint32_t uid, const char *cmd, const Warm__Rpc__Conditions *conditions,
                 bool silent, const char *reason)
{
	size_t len = strlen(cmd) + 1;
	struct retired *one = malloc(sizeof(*one) + len);

	if (!one)
		return;
	one->uid = uid;
	one->silent = silent;
	one->conditions = conditions ? conditions_copy(conditions) : NULL;
	memcpy(one->cmd, cmd, len);
	snprintf(one->reason, sizeof(one->reason), "%s", reason);
	TAILQ_INSERT_TAIL(&daemon->retired, one, link);
	if (++daemon->n_retired[silent] > RETIRED_MAX)
		drop(daemon, oldest(daemon, silent));
}

void retired_note(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason)
{
	drop(daemon, find_same(daemon, conditions));
	note(daemon, conditions->uid, conditions->cmd, conditions, false, reason);
}

void retired_note_silent(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason)
{
	drop(daemon, find_same(daemon, conditions));
	note(daemon, conditions->uid, conditions->cmd, conditions, true, reason);
}

void retired_note_cmd(struct daemon *daemon, uint32_t uid, const char *cmd, const char *reason)
{
	note(daemon, uid, cmd, NULL, false, reason);
}

void retired_forget(struct daemon *daemon, const Warm__Rpc__Conditions *conditions)
{
	drop(daemon, find_same(daemon, conditions));
}

void retired_free(struct daemon *daemon)
{
	struct retired *one;

	while ((one = TAILQ_FIRST(&daemon->retired)))
		drop(daemon, one);
}

bool retired_reason(struct daemon *daemon, const Warm__Rpc__Conditions *now, char *reason, size_t size)
{
	struct retired *same = find_same(daemon, now), *one = same ? same : find(daemon, now);

	if (one)
		snprintf(reason, size, "%s%s", one->silent ? "" : "the last snapshot is not served: ", one->reason);
	return same;
}
