/* SPDX-License-Identifier: MIT */
/*
 * File locks: flock(2), record locks of the process (fcntl F_SETLK) and of the description (F_OFD_SETLK). fdinfo shows
 * with each descriptor what is held through its description:
 *
 *     lock:	1: FLOCK  ADVISORY  WRITE 4711 fe:00:12345 0 EOF
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "snapshot/remedies.h"

#define LOCK            "\nlock:"
#define LOCKS_TABLE_MAX (16u << 20)

struct shown { /* one line of it */
	char kind[16], mode[16];
	int pid; /* who took it; of a description's own: -1 */
	unsigned major, minor;
	unsigned long long ino, start, end;
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

	if (sscanf(at, " %*d: %15s %*s %15s %d %x:%x:%llu %llu %23s", line->kind, line->mode, &line->pid, &line->major,
	           &line->minor, &line->ino, &line->start, end) != 8)
		return false;
	line->whole = strcmp(end, "EOF") == 0;
	line->end = line->whole ? 0 : strtoull(end, NULL, 10);
	return strcmp(line->mode, "READ") == 0 || strcmp(line->mode, "WRITE") == 0;
}

static uint64_t length_of(const struct shown *line)
{
	return line->whole ? 0 : line->end - line->start + 1;
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
	lock->length = length_of(line);
	return GROW(f->desc, lock, lock) < 0 ? err_sys(err, ENOMEM, "descriptors") : 0;
}

/* What is held; a lease is not. */
static bool kind_of(const struct shown *line, Warm__Image__LockKind *ret)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(line->kind, kinds[i].word) == 0) {
			*ret = kinds[i].kind;
			return true;
		}
	return false;
}

static int take_line(struct open_file *f, const char *at, struct err *err)
{
	Warm__Image__LockKind kind;
	struct shown line;

	if (!read_line(at, &line))
		return err_refuse(err, UNLOCK_IT, "fd %d: a file lock that is not known, on %s", f->fd, f->link);
	if (kind_of(&line, &kind))
		return add_lock(f, &line, kind, err);
	return err_refuse(err, "give it up before the snapshot", "fd %d: a file lease (%s) on %s", f->fd, line.kind,
	                  f->link);
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
		return err_refuse(err, UNLOCK_IT, "fd %d: a file lock on %s, which is no file of the program's own",
		                  f->fd, f->link);
	return collect_held(s, f, HELD_LOCK, (ProtobufCBinaryData){0, (uint8_t *)""}, f->link, err);
}

/* A lock of the description comes with it, whoever took it; a record lock is the process's, and a clone is another. */
int launch_lock(const struct open_file *f, struct err *err)
{
	for (const char *at = strstr(f->info, LOCK); at; at = strstr(at + 1, LOCK)) {
		struct shown line;

		if (!read_line(at + strlen(LOCK), &line) || strcmp(line.kind, "POSIX") == 0)
			return err_refuse(err, UNLOCK_IT,
			                  "fd %d: a record lock on %s, which the program was started with", f->fd,
			                  f->link);
	}
	return 0;
}

/* ---- what the kernel's list of all locks says of it ---------------------------------------------------------------
 */

static bool is_known(const Warm__Image__Description *d, const struct shown *line, Warm__Image__LockKind kind)
{
	for (size_t i = 0; i < d->n_lock; i++)
		if (d->lock[i]->kind == kind && d->lock[i]->start == line->start &&
		    d->lock[i]->length == length_of(line) &&
		    d->lock[i]->exclusive == (strcmp(line->mode, "WRITE") == 0))
			return true;
	return false;
}

const char *lock_lost(const char *table, pid_t pid, const Warm__Image__Image *image)
{
	for (const char *at = table; *at; at = strchrnul(at, '\n'), at += *at == '\n') {
		bool open = false, known = false;
		Warm__Image__LockKind kind;
		struct shown line;

		if (!read_line(at, &line) || line.pid != pid || !kind_of(&line, &kind))
			continue; /* among them those that wait for a lock */
		for (size_t i = 0; i < image->n_description; i++) {
			const Warm__Image__Description *d = image->description[i];

			if (d->ino != line.ino || d->dev != makedev(line.major, line.minor))
				continue;
			open = true;
			known |= is_known(d, &line, kind);
		}
		if (open && !known)
			return at;
	}
	return NULL;
}

int check_locks(struct subject *s, struct err *err)
{
	CLEAN(free) char *table = NULL;
	const char *lost;
	int r = fd_read_file_at(AT_FDCWD, "/proc/locks", LOCKS_TABLE_MAX, &table, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(err, -r, "the list of file locks");
	lost = lock_lost(table, s->pid, s->image);
	if (!lost)
		return 0;
	return err_refuse(err, UNLOCK_IT, "process %d has a file lock that none of its descriptors shows: %.*s", s->pid,
	                  (int)strcspn(lost, "\n"), lost);
}
