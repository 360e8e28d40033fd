/* SPDX-License-Identifier: MIT */
#include "warmd/opened/family.h"

#include "base/clean.h"
#include "base/fd.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX     64
#define STRANGERS_MAX 4096
#define STAT_MAX      65536

struct member {
	pid_t pid; /* 0: free */
	uint64_t run;
};

struct family {
	struct member *member; /* open addressing by pid */
	size_t n, room;
	size_t n_strangers;
};

static struct member *find(struct member *member, size_t room, pid_t pid)
{
	size_t at = (uint32_t)pid * 2654435761u & (room - 1);

	while (member[at].pid && member[at].pid != pid)
		at = (at + 1) & (room - 1);
	return &member[at];
}

/* Into a table of that size, without the members of `run`. */
static int rebuild(struct family *family, size_t room, uint64_t without)
{
	struct member *member = calloc(room, sizeof(*member));

	if (!member)
		return -ENOMEM;
	family->n = family->n_strangers = 0;
	for (size_t i = 0; i < family->room; i++) {
		const struct member *old = &family->member[i];

		if (!old->pid || old->run == without)
			continue;
		*find(member, room, old->pid) = *old;
		family->n++;
		family->n_strangers += !old->run;
	}
	free(family->member);
	family->member = member;
	family->room = room;
	return 0;
}

struct family *family_new(void)
{
	struct family *family = calloc(1, sizeof(*family));

	if (family && rebuild(family, 256, UINT64_MAX)) {
		free(family);
		return NULL;
	}
	return family;
}

void family_free(struct family *family)
{
	free(family->member);
	free(family);
}

int family_add(struct family *family, pid_t pid, uint64_t run)
{
	struct member *member;
	int r = 0;

	if (family->n_strangers > STRANGERS_MAX) /* strangers are asked anew */
		r = rebuild(family, family->room, 0);
	if (!r && 2 * family->n >= family->room)
		r = rebuild(family, 2 * family->room, UINT64_MAX);
	if (r)
		return r;
	member = find(family->member, family->room, pid);
	family->n += !member->pid;
	family->n_strangers += !run - (member->pid && !member->run);
	*member = (struct member){pid, run};
	return 0;
}

void family_remove(struct family *family, uint64_t run)
{
	rebuild(family, family->room, run); /* where memory is short it stays, and does no harm: the run is gone */
}

/* -ESRCH: it is gone. */
static pid_t parent_of(pid_t pid)
{
	CLEAN(free) char *text = NULL;
	struct proc_stat stat;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	r = fd_read_file_at(AT_FDCWD, path, STAT_MAX, &text, NULL);
	if (!r)
		r = proc_stat_parse(text, &stat);
	return r ? r : stat.ppid;
}

uint64_t family_of(struct family *family, pid_t pid, bool fresh)
{
	const struct member *member = find(family->member, family->room, pid);
	pid_t at = pid;
	uint64_t run = FAMILY_NONE;

	if (member->pid && (member->run || !fresh))
		return member->run;
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		at = parent_of(at);
		if (at < 0)
			return FAMILY_STRAY; /* and not kept: the number may come again */
		if (at <= 1)
			break;
		member = find(family->member, family->room, at);
		if (member->pid) {
			run = member->run;
			break;
		}
	}
	family_add(family, pid, run);
	return run;
}
