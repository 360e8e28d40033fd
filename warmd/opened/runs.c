/* SPDX-License-Identifier: MIT */
#include "warmd/opened/runs.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/proc.h"
#include "warmd/files.h"
#include "warmd/opened/family.h"
#include "warmd/opened/sight.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>

#define NAMES   (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO)
#define WRITTEN (FAN_MODIFY | FAN_CLOSE_WRITE | NAMES)
#define READING (FAN_ACCESS | FAN_CLOSE_NOWRITE)

struct opened_file {
	struct digest object;
	bool read;
	bool closed;   /* it was open for writing */
	bool modified; /* by the run */
	bool own;      /* the run has changed it, or something about it */
	bool foreign;  /* somebody else has, after the run had met it */
	bool replaced; /* by the time its name was looked up, that meant another file */
	Warm__Rpc__File
	        *file; /* as it was when its name was looked up; NULL: it had none any more, or does not count */
};

struct run {
	LIST_ENTRY(run) link;
	uint64_t id;
	pid_t pid;
	uint64_t since_s;
	int64_t since_ns;          /* CLOCK_REALTIME */
	char lost[160];            /* why the record is not complete; "" = it is */
	struct opened_file **slot; /* by object; NULL is free */
	size_t n_slots, n_files;
};

struct runs {
	const struct sight *sight;
	struct family *family;
	LIST_HEAD(, run) list; /* with strays, while there are others */
};

/* ---- files of a run ---------------------------------------------------------------------------------------------- */

static struct opened_file **find_slot(struct opened_file **slot, size_t n_slots, const struct digest *object)
{
	size_t at = object->lo & (n_slots - 1);

	while (slot[at] && (slot[at]->object.lo != object->lo || slot[at]->object.hi != object->hi))
		at = (at + 1) & (n_slots - 1);
	return &slot[at];
}

static struct opened_file *find_file(const struct run *run, const struct digest *object)
{
	return run->n_slots ? *find_slot(run->slot, run->n_slots, object) : NULL;
}

static int make_room(struct run *run)
{
	size_t n = run->n_slots ? 2 * run->n_slots : 256;
	struct opened_file **slot;

	if (run->n_files * 2 < run->n_slots)
		return 0;
	slot = calloc(n, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (size_t i = 0; i < run->n_slots; i++) {
		if (run->slot[i])
			*find_slot(slot, n, &run->slot[i]->object) = run->slot[i];
	}
	free(run->slot);
	run->slot = slot;
	run->n_slots = n;
	return 0;
}

static void forget_files(struct run *run)
{
	for (size_t i = 0; i < run->n_slots; i++) {
		if (run->slot[i] && run->slot[i]->file)
			warm__rpc__file__free_unpacked(run->slot[i]->file, NULL);
		free(run->slot[i]);
	}
	free(run->slot);
	run->slot = NULL;
	run->n_slots = run->n_files = 0;
}

static void lose(struct run *run, const char *reason)
{
	if (!run->lost[0])
		snprintf(run->lost, sizeof(run->lost), "%s", reason);
	forget_files(run);
}

static struct opened_file *meet_file(struct run *run, const struct digest *object)
{
	struct opened_file *file = find_file(run, object);

	if (file)
		return file;
	if (run->n_files == RUN_FILES_MAX) {
		lose(run, "it opens too many files");
		return NULL;
	}
	file = make_room(run) ? NULL : calloc(1, sizeof(*file));
	if (!file) {
		lose(run, "out of memory");
		return NULL;
	}
	file->object = *object;
	*find_slot(run->slot, run->n_slots, object) = file;
	run->n_files++;
	return file;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* Files and directories. In a directory like /tmp names come and go that are nobody's business. */
static bool counts(const struct stat *st)
{
	return S_ISREG(st->st_mode) || (S_ISDIR(st->st_mode) && !(st->st_mode & S_ISVTX && st->st_mode & S_IWOTH));
}

static Warm__Rpc__File *look(const char *path)
{
	Warm__Rpc__File *file = malloc(sizeof(*file));

	if (!file)
		return NULL;
	warm__rpc__file__init(file);
	file->path = strdup(path);
	if (!file->path || file_look(file)) {
		warm__rpc__file__free_unpacked(file, NULL);
		return NULL;
	}
	return file;
}

/* The first time that it matters: an event says which object it was, not what it was like. */
static void look_up(struct runs *runs, struct opened_file *file, const struct seen *seen)
{
	char path[PATH_MAX];
	struct digest now;
	struct stat st;

	if (file->file || sight_path(runs->sight, seen->where, path, sizeof(path)) || sight_object(path, &now) ||
	    lstat(path, &st) || !counts(&st))
		return;
	file->replaced = now.lo != file->object.lo || now.hi != file->object.hi;
	file->file = look(path);
}

static void own_event(struct runs *runs, struct run *run, const struct seen *seen)
{
	/* A directory is read by readdir(3); one that was only opened is a place to start from. */
	const uint64_t reading = seen->mask & FAN_ONDIR ? FAN_ACCESS : READING;
	struct opened_file *file = meet_file(run, &seen->object);

	if (!file)
		return;
	file->read |= (seen->mask & reading) != 0;
	file->closed |= (seen->mask & FAN_CLOSE_WRITE) != 0;
	file->modified |= (seen->mask & FAN_MODIFY) != 0;
	file->own |= (seen->mask & (WRITTEN | FAN_ATTRIB)) != 0;
	if (file->read || (file->closed && !file->modified))
		look_up(runs, file, seen);
}

static void foreign_event(struct runs *runs, const struct run *whose, const struct seen *seen)
{
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	{
		struct opened_file *file = run != whose ? find_file(run, &seen->object) : NULL;

		if (file)
			file->foreign = true;
	}
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
	if (run && !run->lost[0])
		own_event(runs, run, seen);
	if (seen->mask & WRITTEN)
		foreign_event(runs, run, seen);
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
	struct timespec real = now(CLOCK_REALTIME);

	if (!run)
		return NULL;
	run->id = id;
	run->pid = pid;
	run->since_s = (uint64_t)now(CLOCK_MONOTONIC).tv_sec;
	run->since_ns = real.tv_sec * 1000000000ll + real.tv_nsec;
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

static struct run *run_of(const struct runs *runs, uint64_t id)
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
	struct run *run = run_of(runs, id);

	if (!run)
		return;
	family_remove(runs->family, id);
	forget_files(run);
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
	lose(run, reason);
}

void runs_expire(struct runs *runs, uint64_t now_s)
{
	struct run *run;

	LIST_FOREACH(run, &runs->list, link)
	{
		if (now_s > run->since_s + RUN_SECONDS)
			lose(run, "it was not ready within ten minutes");
	}
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static bool newer(const struct run *run, const Warm__Rpc__File *file)
{
	return file->mtime_ns > run->since_ns || file->ctime_ns > run->since_ns;
}

static bool same_names(const Warm__Rpc__File *a, const Warm__Rpc__File *b)
{
	return a->names_digest.len == b->names_digest.len &&
	       (!a->names_digest.len || !memcmp(a->names_digest.data, b->names_digest.data, a->names_digest.len));
}

struct listing {
	const struct run *run, *strays; /* strays: NULL where it has had no children */
	Warm__Rpc__Opened *list;
};

enum verdict { LEFT_OUT, AS_NOTED, AS_NOW, SPOILT };

/* It, or a stray that may be its child, has written this object. */
static const struct opened_file *own_file(const struct listing *listing, const struct digest *object)
{
	const struct run *const whose[] = {listing->run, listing->strays};

	for (size_t i = 0; i < 2; i++) {
		const struct opened_file *file = whose[i] ? find_file(whose[i], object) : NULL;

		if (file && file->own)
			return file;
	}
	return NULL;
}

/* What has become of it since it was read. at: what has its name now, object, NULL if there is no such file. */
static enum verdict judge(const struct listing *listing, const struct opened_file *file, const struct digest *object,
                          const Warm__Rpc__File *at)
{
	/* Its own new version may have been put in the old one's place. */
	const struct opened_file *own = own_file(listing, at ? object : &file->object);

	if (!at) /* a temporary file; else whoever looks at the record next will miss it */
		return own || newer(listing->run, file->file) ? LEFT_OUT : AS_NOTED;
	if (!own && (object->lo != file->object.lo || object->hi != file->object.hi))
		return SPOILT;
	if (at->names_digest.len && file->foreign)
		return SPOILT;
	if (at->names_digest.len && same_names(file->file, at)) /* its times move with names that came and went, too */
		return AS_NOW;
	if (own)
		return own->foreign ? SPOILT : AS_NOW;
	return file->replaced || at->names_digest.len ? SPOILT : AS_NOTED;
}

/* What strays have read may be listed for several runs. NULL: out of memory. */
static Warm__Rpc__File *copy(const Warm__Rpc__File *file)
{
	size_t len = warm__rpc__file__get_packed_size(file);
	CLEAN(free) uint8_t *buf = malloc(len + 1);

	if (!buf)
		return NULL;
	warm__rpc__file__pack(file, buf);
	return warm__rpc__file__unpack(NULL, len, buf);
}

static int list_file(const struct listing *listing, const struct opened_file *file, struct err *err)
{
	Warm__Rpc__Opened *list = listing->list;
	Warm__Rpc__File *at = NULL, *item = NULL;
	struct digest object;
	enum verdict verdict;

	if (!file->file || !(file->read || (file->closed && !file->modified && file->file->size)))
		return 0;
	if (!sight_object(file->file->path, &object))
		at = look(file->file->path);
	verdict = judge(listing, file, &object, at);
	if (verdict == AS_NOTED || verdict == AS_NOW) {
		item = verdict == AS_NOW ? take_ptr(at) : copy(file->file);
		if (item) {
			item->settled = verdict == AS_NOW;
			list->file[list->n_file++] = item;
		}
	}
	if (at)
		warm__rpc__file__free_unpacked(at, NULL);
	if (verdict != SPOILT)
		return item || verdict == LEFT_OUT ? 0 : err_set(err, ENOMEM, "out of memory");
	return err_set(err, ESTALE, "%.160s changed while the program started; start it once more", file->file->path);
}

/* Whether it has waited for a child, or lets the kernel reap them. */
static bool had_children(pid_t pid)
{
	CLEAN(fd) int dir = proc_open(pid);
	struct proc_status status;
	struct proc_stat stat;
	bool ignores;

	if (dir < 0 || proc_stat_read(dir, &stat) || proc_status_read(dir, &status))
		return true;
	ignores = status.sig_ignored >> (SIGCHLD - 1) & 1;
	proc_status_fini(&status);
	return stat.child_faults || ignores;
}

static int list_files(const struct listing *listing, const struct run *of, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < of->n_slots; i++) {
		if (of->slot[i])
			r = list_file(listing, of->slot[i], err);
	}
	return r;
}

int runs_list(struct runs *runs, uint64_t id, Warm__Rpc__Opened **ret, struct err *err)
{
	struct listing listing = {.run = run_of(runs, id)};
	int r;

	if (!listing.run)
		return err_set(err, ESRCH, "nobody watched it");
	if (had_children(listing.run->pid))
		listing.strays = run_of(runs, FAMILY_STRAY);
	if (listing.run->lost[0] || (listing.strays && listing.strays->lost[0]))
		return err_set(err, ENODATA, "%s", listing.run->lost[0] ? listing.run->lost : listing.strays->lost);
	listing.list = malloc(sizeof(*listing.list));
	if (!listing.list)
		return err_set(err, ENOMEM, "out of memory");
	warm__rpc__opened__init(listing.list);
	listing.list->file = calloc(listing.run->n_files + (listing.strays ? listing.strays->n_files : 0) + 1,
	                            sizeof(*listing.list->file));
	r = listing.list->file ? list_files(&listing, listing.run, err) : err_set(err, ENOMEM, "out of memory");
	if (!r && listing.strays)
		r = list_files(&listing, listing.strays, err);
	if (r)
		warm__rpc__opened__free_unpacked(listing.list, NULL);
	else
		*ret = listing.list;
	return r;
}
