/* SPDX-License-Identifier: MIT */
/* Which files a snapshot depends on. */
#include "base/err.h"
#include "warmd/files.h"
#include "warmd/record_internal.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"

#define RECORD_FILES_MAX 65536

char **record_strings(char *const *list, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(list[i]);
		if (!copy[i])
			return NULL; /* the process is out of memory: a leak is the least of it */
	}
	return copy;
}

static int changed(const char *path, struct err *err)
{
	return err_refuse(err, "start it once more", "%s changed after the program had started", path);
}

Warm__Rpc__File *record_file_new(const char *path, char *const *suffix, size_t n_suffix)
{
	Warm__Rpc__File *file = malloc(sizeof(*file));

	if (!file)
		return NULL;
	warm__rpc__file__init(file);
	file->path = strdup(path);
	file->suffix = record_strings(suffix, n_suffix);
	file->n_suffix = n_suffix;
	return file;
}

int record_files_add(struct record_files *list, Warm__Rpc__File *file, struct err *err)
{
	if (!file || !file->path)
		return err_set(err, ENOMEM, "out of memory");
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		Warm__Rpc__File **more = realloc(list->file, room * sizeof(*more));

		if (!more)
			return err_set(err, ENOMEM, "out of memory");
		list->file = more;
		list->room = room;
	}
	if (list->n == RECORD_FILES_MAX)
		return err_refuse(err, "declare fewer", "it depends on more than %d files", RECORD_FILES_MAX);
	list->file[list->n++] = file;
	return 0;
}

static int add_as_is_now(struct record_files *list, const char *path, char *const *suffix, size_t n_suffix,
                         struct err *err)
{
	Warm__Rpc__File *file = record_file_new(path, suffix, n_suffix);
	int r = record_files_add(list, file, err);

	if (r)
		return r;
	r = file_look(file);
	return r ? err_sys(err, -r, "%s, which it depends on", path) : 0;
}

static int by_path(const void *a, const void *b)
{
	const Warm__Rpc__File *x = *(Warm__Rpc__File *const *)a, *y = *(Warm__Rpc__File *const *)b;
	int r = strcmp(x->path, y->path);

	/* Of two for one path the stricter one, with content, comes first and stays. */
	return r ? r : x->same_inode_only - y->same_inode_only;
}

static bool same_file(const Warm__Rpc__File *a, const Warm__Rpc__File *b)
{
	return a->same_inode_only || b->same_inode_only || a->names_digest.len ||
	       (a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	        a->ctime_ns == b->ctime_ns);
}

static void take_content(Warm__Rpc__File *to, Warm__Rpc__File *from)
{
	to->content_offset = from->content_offset;
	to->content_len = from->content_len;
	to->content_digest = from->content_digest;
	from->content_digest = (ProtobufCBinaryData){0};
}

static void take_permissions(Warm__Rpc__File *to, const Warm__Rpc__File *from)
{
	to->searched = true;
	to->mode = from->mode;
	to->owner = from->owner;
	to->owner_group = from->owner_group;
}

/* The command first: watch looks at that one in each launch. */
static void command_first(struct record_files *list, const char *cmd)
{
	for (size_t i = 1; i < list->n; i++) {
		Warm__Rpc__File *file = list->file[i];

		if (file && !strcmp(file->path, cmd)) {
			list->file[i] = list->file[0];
			list->file[0] = file;
			return;
		}
	}
}

/* They were looked at at different times, too. */
int record_files_settle(struct record_files *list, const char *cmd, struct err *err)
{
	int r = 0;
	size_t kept = 0;

	qsort(list->file, list->n, sizeof(*list->file), by_path);
	for (size_t i = 0; i < list->n; i++) {
		Warm__Rpc__File *last = kept ? list->file[kept - 1] : NULL;

		if (last && !strcmp(last->path, list->file[i]->path) && last->n_suffix == list->file[i]->n_suffix) {
			if (!same_file(last, list->file[i]))
				r = changed(last->path, err);
			last->settled |= list->file[i]->settled;
			last->position |= list->file[i]->position;
			if (list->file[i]->content_digest.len)
				take_content(last, list->file[i]);
			if (list->file[i]->searched)
				take_permissions(last, list->file[i]);
			warm__rpc__file__free_unpacked(list->file[i], NULL);
		} else {
			list->file[kept++] = list->file[i];
		}
	}
	list->n = kept;
	command_first(list, cmd);
	return r;
}

int record_files_gather(struct record_files *list, const char *cmd, Warm__Rpc__Summary *summary,
                        Warm__Rpc__Depends *const *depends, size_t n_depends, struct err *err)
{
	int r = add_as_is_now(list, cmd, NULL, 0, err);

	for (size_t i = 0; !r && i < summary->n_file; i++) {
		r = record_files_add(list, summary->file[i], err);
		if (!r)
			summary->file[i] = NULL; /* the conditions' now */
	}
	for (size_t i = 0; !r && i < n_depends; i++) {
		for (size_t j = 0; !r && j < depends[i]->n_item; j++) {
			const Warm__Rpc__Dependency *item = depends[i]->item[j];

			if (item->path[0] != '/')
				r = err_refuse(err, "declare where it is",
				               "the hook declared %s, which is no absolute path", item->path);
			else
				r = add_as_is_now(list, item->path, item->suffix, item->n_suffix, err);
		}
	}
	return r;
}

static bool has_directory(const struct record_files *list, size_t n, const Warm__Rpc__File *dir)
{
	for (size_t i = 0; i < n; i++) {
		const Warm__Rpc__File *file = list->file[i];

		if (file->names_digest.len && file->ino == dir->ino && file->dev == dir->dev)
			return true;
	}
	return false;
}

static bool is_plugins(const Warm__Rpc__Summary *summary, const char *path)
{
	for (size_t i = 0; i < summary->n_plugin_place; i++) {
		if (!fnmatch(summary->plugin_place[i], path, 0))
			return true;
	}
	return false;
}

/* Which names count in a directory the hook knows better; a plugin, that none do. */
int record_files_gather_opened(struct record_files *list, const Warm__Rpc__Summary *summary, Warm__Rpc__Opened *opened,
                               struct err *err)
{
	size_t n_declared = list->n;
	int r = 0;

	for (size_t i = 0; !r && i < opened->n_file; i++) {
		Warm__Rpc__File *file = take_ptr(opened->file[i]);

		bool plugins = is_plugins(summary, file->path);

		if (plugins || (!file->spoilt && file->names_digest.len && has_directory(list, n_declared, file))) {
			warm__rpc__file__free_unpacked(file, NULL);
			continue;
		}
		r = file->spoilt || file->unsure ? changed(file->path, err) : record_files_add(list, file, err);
		if (r)
			warm__rpc__file__free_unpacked(file, NULL);
	}
	return r;
}

/* What it has made itself is what it has mapped or open. */
static bool written(const Warm__Rpc__Opened *opened, const char *path)
{
	for (size_t i = 0; opened && i < opened->n_written; i++) {
		if (!strcmp(opened->written[i], path))
			return true;
	}
	return false;
}

int record_files_check_times(const struct record_files *list, const Warm__Rpc__Opened *opened, int64_t since_ns,
                             struct err *err)
{
	char which[ERR_MSG_MAX - 64];

	for (size_t i = 0; i < list->n; i++) {
		if (file_newer(list->file[i], since_ns, which, sizeof(which)) && !written(opened, list->file[i]->path))
			return changed(which, err);
	}
	return 0;
}
