/* SPDX-License-Identifier: MIT */
/* Who is watched, and what an event means for them. */
#include "warmd/opened/runs.h"

#include "warmd/opened/family.h"
#include "warmd/opened/runs_internal.h"
#include "warmd/opened/sight_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define WRITTEN (FAN_MODIFY | FAN_CLOSE_WRITE | NAMES)
#define READING (FAN_ACCESS | FAN_CLOSE_NOWRITE)

struct runs {
	const struct sight *sight;
	struct family *family;
	LIST_HEAD(, run) list; /* with strays, while there are others */
};

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* Files and directories. In a directory like /tmp names come and go that are nobody's business. */
static bool counts(const struct stat *st)
{
	return S_ISREG(st->st_mode) || (S_ISDIR(st->st_mode) && !(st->st_mode & S_ISVTX && st->st_mode & S_IWOTH));
}

/* The first time that it matters: an event says which object it was, not what it was like. */
static void look_up(struct runs *runs, const struct run *run, struct opened_file *file, const struct seen *seen)
{
	char path[PATH_MAX];
	struct digest now;
	struct stat st;
	int names;

	if (file->file || sight_path(runs->sight, seen, path, sizeof(path)) || sight_object(path, &now) ||
	    lstat(path, &st) || !counts(&st))
		return;
	names = S_ISDIR(st.st_mode) ? sight_watch_names(runs->sight, seen) : 1;
	file->replaced = now.lo != file->object.lo || now.hi != file->object.hi;
	file->file = run_look(path);
	file->unsure = file->file && names != 1 && (names < 0 || file->file->mtime_ns >= run->since_tick_ns);
}

static void own_event(struct runs *runs, struct run *run, const struct seen *seen)
{
	/* A directory is read by readdir(3); one that was only opened is a place to start from. */
	const uint64_t reading = seen->mask & FAN_ONDIR ? FAN_ACCESS : READING;
	struct opened_file *file = run_meet_file(run, &seen->object);

	if (!file)
		return;
	file->read |= (seen->mask & reading) != 0;
	file->closed |= (seen->mask & FAN_CLOSE_WRITE) != 0;
	file->modified |= (seen->mask & FAN_MODIFY) != 0;
	file->own |= (seen->mask & (WRITTEN | FAN_ATTRIB)) != 0;
	if (file->read || file->own)
		look_up(runs, run, file, seen);
}

static void foreign_event(struct runs *runs, const struct run *whose, const struct seen *seen)
{
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	{
		struct opened_file *file = run != whose ? run_find_file(run, &seen->object) : NULL;

		if (file)
			file->foreign = true;
	}
}

/* Whose file it was is all that is known. */
static void unknown_event(struct runs *runs, struct run *run, const struct seen *seen)
{
	char reason[sizeof(run->lost)];

	snprintf(reason, sizeof(reason), "a file that was opened cannot be looked at: %s", strerror(seen->error));
	if (run)
		run_lose(run, reason);
	if (seen->mask & WRITTEN)
		runs_lose(runs, reason);
}

void runs_see(void *arg, const struct seen *seen)
{
	struct runs *runs = arg;
	uint64_t id = family_of(runs->family, seen->pid, seen->mask & FAN_OPEN_EXEC);
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	{
		if (run->id == id)
			break;
	}
	if (seen->error) {
		unknown_event(runs, run, seen);
		return;
	}
	if (run && !run->lost[0])
		own_event(runs, run, seen);
	if (seen->mask & WRITTEN)
		foreign_event(runs, run, seen);
}

int runs_ended_fd(const struct runs *runs)
{
	return family_fd(runs->family);
}

void runs_note_ended(struct runs *runs)
{
	family_note_ended(runs->family);
}

void runs_drop_ended(struct runs *runs)
{
	family_drop_ended(runs->family);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

struct runs *runs_new(const struct sight *sight)
{
	struct runs *runs = calloc(1, sizeof(*runs));

	if (!runs)
		return NULL;
	runs->sight = sight;
	runs->family = family_new();
	if (runs->family)
		return runs;
	free(runs);
	return NULL;
}

void runs_free(struct runs *runs)
{
	struct run *run;

	while ((run = LIST_FIRST(&runs->list)))
		runs_drop(runs, run->id);
	family_free(runs->family);
	free(runs);
}

static struct timespec now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts;
}

static struct run *run_new(struct runs *runs, uint64_t id, pid_t pid)
{
	struct run *run = calloc(1, sizeof(*run));
	struct timespec real = now(CLOCK_REALTIME), tick = now(CLOCK_REALTIME_COARSE);

	if (!run)
		return NULL;
	run->id = id;
	run->pid = pid;
	run->since_s = (uint64_t)now(CLOCK_MONOTONIC).tv_sec;
	run->since_ns = real.tv_sec * 1000000000ll + real.tv_nsec;
	run->since_tick_ns = tick.tv_sec * 1000000000ll + tick.tv_nsec;
	LIST_INSERT_HEAD(&runs->list, run, link);
	return run;
}

int runs_add(struct runs *runs, uint64_t id, pid_t pid)
{
	if (!runs_any(runs)) { /* what strays read before is nobody's */
		runs_drop(runs, FAMILY_STRAY);
		if (!run_new(runs, FAMILY_STRAY, 0))
			return -ENOMEM;
	}
	if (family_add(runs->family, pid, id) || !run_new(runs, id, pid))
		return -ENOMEM;
	return 0;
}

struct run *runs_find(const struct runs *runs, uint64_t id)
{
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	{
		if (run->id == id)
			return run;
	}
	return NULL;
}

void runs_drop(struct runs *runs, uint64_t id)
{
	struct run *run = runs_find(runs, id);

	if (!run)
		return;
	family_remove(runs->family, id);
	run_forget_files(run);
	LIST_REMOVE(run, link);
	free(run);
}

bool runs_any(const struct runs *runs)
{
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	{
		if (!run->lost[0] && run->id != FAMILY_STRAY)
			return true;
	}
	return false;
}

void runs_lose(struct runs *runs, const char *reason)
{
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	run_lose(run, reason);
}

void runs_expire(struct runs *runs, uint64_t now_s)
{
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	{
		if (now_s > run->since_s + RUN_SECONDS)
			run_lose(run, "it was not ready within ten minutes");
	}
}
