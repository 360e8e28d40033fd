/* SPDX-License-Identifier: MIT */
#include "warmd/unseen.h"

#include "base/clean.h"
#include "base/err.h"
#include "warmd/daemon.h"
#include "warmd/first_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DO_WITHOUT "and it has no hook to declare it: record-opened = no in warmd.conf does without"

int unseen_check(const struct first_run *run, bool asked, bool declares, struct err *err)
{
	if (asked || declares || run->recording || !run->daemon->config.record_opened)
		return 0;
	return err_set(err, ENODATA, "what it opens is not recorded here (`warm doctor` says why), " DO_WITHOUT);
}

static void look_at(const char *path, const Warm__Rpc__Opened *opened, bool *used)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) ||
	    !(st.stx_mask & STATX_MNT_ID))
		return;
	for (size_t i = 0; i < opened->n_unseen; i++)
		used[i] |= opened->unseen[i]->mount_id == st.stx_mnt_id;
}

/* Which mounts it uses: where its files are, where it stands, what its arguments name if they are paths, and the root
 * directory, which is nobody's to avoid. */
static void look_at_all(const Warm__Rpc__Conditions *conditions, const Warm__Rpc__Opened *opened, bool *used)
{
	char path[2 * PATH_MAX];
	int cwd = snprintf(path, PATH_MAX, "%.*s", (int)conditions->cwd.len, (const char *)conditions->cwd.data);

	look_at("/", opened, used);
	look_at(path, opened, used);
	for (size_t i = 1; i < conditions->n_argv && cwd < PATH_MAX; i++) {
		const ProtobufCBinaryData *arg = &conditions->argv[i];
		const char *text = (const char *)arg->data;
		bool absolute = arg->len && text[0] == '/';

		snprintf(path + cwd, sizeof(path) - (size_t)cwd, "/%.*s", (int)arg->len, text);
		look_at(absolute ? path + cwd + 1 : path, opened, used);
	}
	for (size_t i = 0; i < conditions->n_file; i++)
		look_at(conditions->file[i]->path, opened, used);
}

static int note(Warm__Rpc__Record *record, const char *words, struct err *err)
{
	char **more = reallocarray(record->not_recorded, record->n_not_recorded + 1, sizeof(*more));

	if (!more)
		return err_set(err, ENOMEM, "out of memory");
	record->not_recorded = more;
	more[record->n_not_recorded] = strdup(words);
	if (!more[record->n_not_recorded])
		return err_set(err, ENOMEM, "out of memory");
	record->n_not_recorded++;
	return 0;
}

static int note_all(const struct first_run *run, Warm__Rpc__Record *record, struct err *err)
{
	const struct daemon *daemon = run->daemon;

	if (record->conditions->interpreter[0])
		return note(record, "anywhere: it declares what it has loaded", err);
	if (!daemon->config.record_opened)
		return note(record, "anywhere: record-opened = no", err);
	return note(record,
	            daemon->machine.records ? "anywhere: it was not started by `warm exec`"
	                                    : "anywhere: fanotify cannot be used, see `warm doctor`",
	            err);
}

int unseen_note(const struct first_run *run, const Warm__Rpc__Opened *opened, Warm__Rpc__Record *record,
                struct err *err)
{
	CLEAN(free) bool *used = NULL;
	int r = 0;

	if (!opened)
		return note_all(run, record, err);
	if (!opened->n_unseen)
		return 0;
	used = calloc(opened->n_unseen, sizeof(*used));
	if (!used)
		return err_set(err, ENOMEM, "out of memory");
	look_at_all(record->conditions, opened, used);
	for (size_t i = 0; !r && i < opened->n_unseen; i++) {
		const char *words = opened->unseen[i]->words;

		if (!used[i])
			continue;
		r = record->ready[0]
		            ? err_set(err, ENODATA, "what it opens on %.100s, is not recorded, " DO_WITHOUT, words)
		            : note(record, words, err);
	}
	return r;
}
