/* SPDX-License-Identifier: MIT */
/* By which names a program reaches its files, and who lets it through. */
#include "base/err.h"
#include "policy/file.h"
#include "warmd/above.h"
#include "warmd/daemon.h"
#include "warmd/first_run.h"
#include "warmd/record_internal.h"
#include "warmd/spelled.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names ------------------------------------------------------------------------------------------------------- */

struct spelling {
	struct record_files *list;
	size_t n;      /* of its files, those that are known by where they are */
	bool recorded; /* what the program has opened is among them */
	struct err *err;
};

static bool is_known(const struct spelling *spelling, const struct stat *st)
{
	for (size_t i = 0; i < spelling->n; i++) {
		if (spelling->list->file[i]->dev == st->st_dev && spelling->list->file[i]->ino == st->st_ino)
			return true;
	}
	return false;
}

static bool is_above_known(const struct spelling *spelling, const char *real)
{
	size_t len = strlen(real);

	for (size_t i = 0; i < spelling->n; i++) {
		const char *path = spelling->list->file[i]->path;

		if (!strncmp(path, real, len) && path[len] == '/')
			return true;
	}
	return false;
}

static int add_spelled(void *arg, const char *path, const char *real)
{
	const struct spelling *spelling = arg;
	Warm__Rpc__File *file;
	struct stat st;
	bool known, content;
	int r;

	if (stat(real, &st))
		return 0;
	known = is_known(spelling, &st);
	/* Whether it has read that nobody knows: it was named. */
	content = !known && !spelling->recorded && S_ISREG(st.st_mode);
	/* Else what is there counts by itself; where the name leads to is what is left. */
	if (!content && (!strcmp(path, real) || !(known || is_above_known(spelling, real))))
		return 0;
	file = record_file_new(path, NULL, 0);
	r = record_files_add(spelling->list, file, spelling->err);
	if (r)
		return r;
	file_note(file, &st);
	file->same_inode_only = !content;
	return 0;
}

int record_files_gather_named(struct record_files *list, const struct first_run *run,
                              const Warm__Rpc__Conditions *conditions, bool recorded, struct err *err)
{
	struct spelling spelling = {list, list->n, recorded, err};

	return spelled_each(conditions, (const char *const *)run->daemon->config.ignore_env, run->started_ns,
	                    add_spelled, &spelling, err);
}

/* ---- permissions ------------------------------------------------------------------------------------------------- */

static bool is_kept_out_of_nothing(const Warm__Rpc__Conditions *conditions)
{
	return conditions->cap_effective & (UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH);
}

static int add_searched(struct record_files *list, const char *path, struct err *err)
{
	Warm__Rpc__File *file;
	struct stat st;
	int r;

	if (stat(path, &st)) /* what is not there has nothing below it that could be read */
		return 0;
	file = record_file_new(path, NULL, 0);
	r = record_files_add(list, file, err);
	if (r)
		return r;
	file_note(file, &st);
	file->same_inode_only = true;
	file->searched = true;
	file->mode = st.st_mode;
	file->owner = st.st_uid;
	file->owner_group = st.st_gid;
	return 0;
}

int record_files_gather_searched(struct record_files *list, const Warm__Rpc__Conditions *conditions, struct err *err)
{
	struct above above = {0};
	size_t n = is_kept_out_of_nothing(conditions) ? 0 : list->n;
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = above_add(&above, list->file[i]->path) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
	for (size_t i = 0; !r && i < above.n; i++)
		r = add_searched(list, above.path[i], err);
	above_fini(&above);
	return r;
}
