/* SPDX-License-Identifier: MIT */
#include "warmd/retired.h"

#include "base/err.h"
#include "warmd/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETIRED_MAX 64

struct retired {
	TAILQ_ENTRY(retired) link;
	uint32_t uid;
	char reason[ERR_MSG_MAX];
	char cmd[];
};

static struct retired *find(struct daemon *daemon, uint32_t uid, const char *cmd)
{
	struct retired *one;

	TAILQ_FOREACH(one, &daemon->retired, link)
	{
		if (one->uid == uid && !strcmp(one->cmd, cmd))
			return one;
	}
	return NULL;
}

static void drop(struct daemon *daemon, struct retired *one)
{
	TAILQ_REMOVE(&daemon->retired, one, link);
	daemon->n_retired--;
	free(one);
}

void retired_note(struct daemon *daemon, uint32_t uid, const char *cmd, const char *reason)
{
	size_t len = strlen(cmd) + 1;
	struct retired *one = malloc(sizeof(*one) + len);

	if (!one)
		return;
	one->uid = uid;
	memcpy(one->cmd, cmd, len);
	snprintf(one->reason, sizeof(one->reason), "%s", reason);
	retired_forget(daemon, uid, cmd);
	TAILQ_INSERT_TAIL(&daemon->retired, one, link);
	if (++daemon->n_retired > RETIRED_MAX)
		drop(daemon, TAILQ_FIRST(&daemon->retired));
}

void retired_forget(struct daemon *daemon, uint32_t uid, const char *cmd)
{
	struct retired *one = find(daemon, uid, cmd);

	if (one)
		drop(daemon, one);
}

void retired_free(struct daemon *daemon)
{
	struct retired *one;

	while ((one = TAILQ_FIRST(&daemon->retired)))
		drop(daemon, one);
}

void retired_reason(struct daemon *daemon, uint32_t uid, const char *cmd, char *reason, size_t size)
{
	struct retired *one = find(daemon, uid, cmd);

	if (one)
		snprintf(reason, size, "the last snapshot is not served: %s", one->reason);
}
