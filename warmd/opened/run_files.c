/* SPDX-License-Identifier: MIT */
/* The files of one run: a hash table by object. */
#include "warmd/opened/runs.h"
#include "warmd/opened/runs_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warmd/files.h"

static struct opened_file **find_slot(struct opened_file **slot, size_t n_slots, const struct digest *object)
{
	size_t at = object->lo & (n_slots - 1);

	while (slot[at] && (slot[at]->object.lo != object->lo || slot[at]->object.hi != object->hi))
		at = (at + 1) & (n_slots - 1);
	return &slot[at];
}

struct opened_file *run_find_file(const struct run *run, const struct digest *object)
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

void run_forget_files(struct run *run)
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

void run_lose(struct run *run, const char *reason)
{
	if (!run->lost[0])
		snprintf(run->lost, sizeof(run->lost), "%s", reason);
	run_forget_files(run);
}

struct opened_file *run_meet_file(struct run *run, const struct digest *object)
{
	struct opened_file *file = run_find_file(run, object);

	if (file)
		return file;
	if (run->n_files == RUN_FILES_MAX) {
		run_lose(run, "it opens too many files");
		return NULL;
	}
	file = make_room(run) ? NULL : calloc(1, sizeof(*file));
	if (!file) {
		run_lose(run, "out of memory");
		return NULL;
	}
	file->object = *object;
	*find_slot(run->slot, run->n_slots, object) = file;
	run->n_files++;
	return file;
}

Warm__Rpc__File *run_look(const char *path)
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
