/* SPDX-License-Identifier: MIT */
/* What a run has opened, as it is when the program is ready. */
#include "warmd/opened/runs.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/proc.h"
#include "warmd/opened/family.h"
#include "warmd/opened/runs_internal.h"
#include "warmd/opened/sight.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

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
		const struct opened_file *file = whose[i] ? run_find_file(whose[i], object) : NULL;

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
	if (file->unsure)
		return SPOILT;
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

/* Takes at. */
static int list_written(Warm__Rpc__Opened *list, const struct opened_file *file, Warm__Rpc__File *at,
                        const struct digest *object, struct err *err)
{
	int r = 0;

	if (!at)
		return 0;
	if (!at->names_digest.len && !file->foreign && object->lo == file->object.lo && object->hi == file->object.hi) {
		list->written[list->n_written] = strdup(at->path);
		if (list->written[list->n_written])
			list->n_written++;
		else
			r = err_set(err, ENOMEM, "out of memory");
	}
	warm__rpc__file__free_unpacked(at, NULL);
	return r;
}

static int list_file(const struct listing *listing, const struct opened_file *file, struct err *err)
{
	Warm__Rpc__Opened *list = listing->list;
	Warm__Rpc__File *at = NULL, *item = NULL;
	struct digest object;
	enum verdict verdict;

	if (!file->file)
		return 0;
	if (!sight_object(file->file->path, &object))
		at = run_look(file->file->path);
	if (!file->read && (file->modified || !file->closed || !file->file->size))
		return list_written(list, file, at, &object, err);
	verdict = judge(listing, file, &object, at);
	if (verdict != LEFT_OUT) {
		item = verdict == AS_NOW ? take_ptr(at) : copy(file->file);
		if (item) {
			item->settled = verdict == AS_NOW;
			item->unsure = verdict == SPOILT && file->unsure;
			/* warmd knows whether that matters: a plugin may answer for it */
			item->spoilt = verdict == SPOILT && !file->unsure;
			list->file[list->n_file++] = item;
		}
	}
	if (at)
		warm__rpc__file__free_unpacked(at, NULL);
	return item || verdict == LEFT_OUT ? 0 : err_set(err, ENOMEM, "out of memory");
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
	struct listing listing = {.run = runs_find(runs, id)};
	size_t n;
	int r;

	if (!listing.run)
		return err_set(err, ESRCH, "nobody watched it");
	if (had_children(listing.run->pid))
		listing.strays = runs_find(runs, FAMILY_STRAY);
	if (listing.run->lost[0] || (listing.strays && listing.strays->lost[0]))
		return err_set(err, ENODATA, "%s", listing.run->lost[0] ? listing.run->lost : listing.strays->lost);
	listing.list = malloc(sizeof(*listing.list));
	if (!listing.list)
		return err_set(err, ENOMEM, "out of memory");
	warm__rpc__opened__init(listing.list);
	n = listing.run->n_files + (listing.strays ? listing.strays->n_files : 0) + 1;
	listing.list->file = calloc(n, sizeof(*listing.list->file));
	listing.list->written = calloc(n, sizeof(*listing.list->written));
	r = listing.list->file && listing.list->written ? list_files(&listing, listing.run, err)
	                                                : err_set(err, ENOMEM, "out of memory");
	if (!r && listing.strays)
		r = list_files(&listing, listing.strays, err);
	if (r)
		warm__rpc__opened__free_unpacked(listing.list, NULL);
	else
		*ret = listing.list;
	return r;
}
