/* SPDX-License-Identifier: MIT */
/*
 * File locks: flock(2), record locks of the process (fcntl F_SETLK) and of the description (F_OFD_SETLK). fdinfo shows
 * with each descriptor what is held through its description:
 *
 *     lock:	1: FLOCK  ADVISORY  WRITE 4711 fe:00:12345 0 EOF
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "proto/launch.h"

#define LOCK "\nlock:"

struct shown { /* one line of it */
	char kind[16], mode[16];
	unsigned long long start, end;
	bool whole; /* to the end of the file, wherever that is */
};

static const struct {
	const char *word;
	Warm__Image__LockKind kind;
} kinds[] = {
        {"FLOCK", WARM__IMAGE__LOCK_KIND__FLOCK},
        {"POSIX", WARM__IMAGE__LOCK_KIND__POSIX},
        {"OFDLCK", WARM__IMAGE__LOCK_KIND__OFD},
};
#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

/* false: nobody knows what this line means. */
static bool read_line(const char *at, struct shown *line)
{
	char end[24];

	if (sscanf(at, " %*d: %15s %*s %15s %*d %*x:%*x:%*u %llu %23s", line->kind, line->mode, &line->start, end) != 4)
		return false;
	line->whole = strcmp(end, "EOF") == 0;
	line->end = line->whole ? 0 : strtoull(end, NULL, 10);
	return strcmp(line->mode, "READ") == 0 || strcmp(line->mode, "WRITE") == 0;
}

static int add_lock(struct open_file *f, const struct shown *line, Warm__Image__LockKind kind, struct err *err)
{
	Warm__Image__FileLock *lock = malloc(sizeof(*lock));

	if (!lock)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__file_lock__init(lock);
	lock->kind = kind;
	lock->exclusive = strcmp(line->mode, "WRITE") == 0;
	lock->start = line->start;
	lock->length = line->whole ? 0 : line->end - line->start + 1;
	return GROW(f->desc, lock, lock) < 0 ? err_sys(err, ENOMEM, "descriptors") : 0;
}

static int take_line(struct open_file *f, const char *at, struct err *err)
{
	struct shown line;

	if (!read_line(at, &line))
		return err_set(err, ENOTSUP, "fd %d: a file lock that is not known, on %s", f->fd, f->link);
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(line.kind, kinds[i].word) == 0)
			return add_lock(f, &line, kinds[i].kind, err);
	return err_set(err, ENOTSUP, "fd %d: a file lease (%s) on %s", f->fd, line.kind, f->link);
}

int collect_lock(struct open_file *f, struct err *err)
{
	int r = 0;

	for (const char *at = strstr(f->info, LOCK); r == 0 && at; at = strstr(at + 1, LOCK))
		r = take_line(f, at + strlen(LOCK), err);
	return r;
}

int hold_locks(struct subject *s, struct open_file *f, struct err *err)
{
	if (!f->desc->n_lock)
		return 0;
	if (f->desc->kind != WARM__IMAGE__DESCRIPTION_KIND__REGULAR &&
	    f->desc->kind != WARM__IMAGE__DESCRIPTION_KIND__DIRECTORY)
		return err_set(err, ENOTSUP, "fd %d: a file lock on %s, which is no file of the program's own", f->fd,
		               f->link);
	return collect_held(s, f, HELD_LOCK, (ProtobufCBinaryData){0, (uint8_t *)""}, f->link, err);
}

/* A lock of the description comes with it, whoever took it; a record lock is the process's, and a clone is another. */
int launch_lock(const struct open_file *f, struct err *err)
{
	for (const char *at = strstr(f->info, LOCK); at; at = strstr(at + 1, LOCK)) {
		struct shown line;

		if (!read_line(at + strlen(LOCK), &line) || strcmp(line.kind, "POSIX") == 0)
			return err_set(err, ENOTSUP, "fd %d: a record lock on %s, which the program was started with",
			               f->fd, f->link);
	}
	return 0;
}
