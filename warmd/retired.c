/* SPDX-License-Identifier: MIT */
#include "warmd/retired.h"

#include "base/err.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETIRED_MAX 64

struct retired {
	TAILQ_ENTRY(retired) link;
	uint32_t uid;
	Warm__Rpc__Conditions *conditions; /* of the snapshot; NULL: not known */
	char reason[ERR_MSG_MAX];
	char cmd[];
};

static struct retired *find(struct daemon *daemon, uint32_t uid, const char *cmd)
{
	struct retired *one;

	TAILQ_FOREACH_REVERSE(one, &daemon->retired, retired_list, link)
	{
		if (one->uid == uid && !strcmp(one->cmd, cmd))
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
	daemon->n_retired--;
	if (one->conditions)
		warm__rpc__conditions__free_unpacked(one->conditions, NULL);
	free(one);
}

static void note(struct daemon *daemon, uint32_t uid, const char *cmd, const Warm__Rpc__Conditions *conditions,
                 const char *reason)
{
	size_t len = strlen(cmd) + 1;
	struct retired *one = malloc(sizeof(*one) + len);

	if (!one)
		return;
	one->uid = uid;
	one->conditions = conditions ? conditions_copy(conditions) : NULL;
	memcpy(one->cmd, cmd, len);
	snprintf(one->reason, sizeof(one->reason), "%s", reason);
	TAILQ_INSERT_TAIL(&daemon->retired, one, link);
	if (++daemon->n_retired > RETIRED_MAX)
		drop(daemon, TAILQ_FIRST(&daemon->retired));
}

void retired_note(struct daemon *daemon, const Warm__Rpc__Conditions *conditions, const char *reason)
{
	drop(daemon, find_same(daemon, conditions));
	note(daemon, conditions->uid, conditions->cmd, conditions, reason);
}

void retired_note_cmd(struct daemon *daemon, uint32_t uid, const char *cmd, const char *reason)
{
	note(daemon, uid, cmd, NULL, reason);
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
	struct retired *same = find_same(daemon, now), *one = same ? same : find(daemon, now->uid, now->cmd);

	if (one)
		snprintf(reason, size, "the last snapshot is not served: %s", one->reason);
	return same;
}
