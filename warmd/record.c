/* SPDX-License-Identifier: MIT */
#include "warmd/record.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "policy/file.h"
#include "warmd/above.h"
#include "warmd/daemon.h"
#include "warmd/files.h"
#include "warmd/first_run.h"
#include "warmd/spelled.h"
#include "warmd/traits.h"
#include "warmd/unseen.h"

#include <errno.h>
#include <fnmatch.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define RECORD_FILES_MAX 65536
#define CMDLINE_MAX      (1u << 20)

/* Messages built here end in ..._free_unpacked(): every string in them is malloc'ed. */
static char **strings_copy(char *const *list, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(list[i]);
		if (!copy[i])
			return NULL; /* the process is out of memory: a leak is the least of it */
	}
	return copy;
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static bool same_text(const ProtobufCBinaryData *bytes, const char *text)
{
	return bytes->len == strlen(text) && (!bytes->len || !memcmp(bytes->data, text, bytes->len));
}

/* The kernel hands a script's interpreter the path that execve(2) was given: cmd, but for the directory in front. */
static bool is_command(const Warm__Rpc__Conditions *launch, const char *path)
{
	size_t dir = launch->cwd.len;

	if (path[0] == '/')
		return !strcmp(launch->cmd, path);
	while (!strncmp(path, "./", 2)) /* as the command leaves it out */
		path += 2;
	return dir && !strncmp(launch->cmd, (char *)launch->cwd.data, dir) && launch->cmd[dir] == '/' &&
	       !strcmp(launch->cmd + dir + 1, path);
}

uint32_t record_fixed_args(const Warm__Rpc__Conditions *launch, const char *process, size_t len, uint32_t fixed)
{
	const char *at = process, *last_fixed = NULL;
	size_t n = 0, n_tail, ret;
	bool same_head = true;

	for (size_t i = 0; i < len; i++)
		n += process[i] == '\0';
	if (!fixed || fixed > n || n - fixed > launch->n_argv)
		return 0;
	n_tail = n - fixed;
	ret = launch->n_argv - n_tail;
	for (size_t i = 0; i < n; i++, at += strlen(at) + 1) {
		if (i >= fixed && !same_text(&launch->argv[ret + i - fixed], at))
			return 0;
		if (i > 0 && i < fixed && ret == fixed && !same_text(&launch->argv[i], at))
			same_head = false;
		if (i == fixed - 1)
			last_fixed = at;
	}
	if (ret == fixed && same_head)
		return fixed;
	return ret == 1 && is_command(launch, last_fixed) ? 1 : 0;
}

static void declare_arguments(pid_t pid, const Warm__Rpc__Ready *ready, Warm__Rpc__Conditions *conditions)
{
	CLEAN(free) char *text = NULL;
	char path[32];
	size_t len;

	if (!ready->argv_from_launch)
		return;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if (!fd_read_file_at(AT_FDCWD, path, CMDLINE_MAX, &text, &len))
		conditions->fixed_args = record_fixed_args(conditions, text, len, ready->fixed_args);
	conditions->argv_from_launch = conditions->fixed_args > 0;
}

/* What an interpreter has looked at besides what it always looks at counts, too: in front, as `!NAME`. */
static int declare_variables(struct first_run *run, const Warm__Rpc__Ready *ready, Warm__Rpc__Conditions **ret,
                             struct err *err)
{
	Warm__Rpc__Conditions *conditions = run->conditions;
	char **list = calloc(ready->n_env_from_launch + conditions->n_env_from_launch + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < ready->n_env_from_launch; i++) {
		if (asprintf(&list[n], "!%s", ready->env_from_launch[i]) >= 0)
			n++;
	}
	if (n < ready->n_env_from_launch)
		return err_set(err, ENOMEM, "out of memory"); /* a leak is the least of it */
	for (size_t i = 0; i < conditions->n_env_from_launch; i++)
		list[n++] = take_ptr(conditions->env_from_launch[i]);
	free(conditions->env_from_launch);
	conditions->env_from_launch = list;
	conditions->n_env_from_launch = n;
	run->conditions = NULL;
	*ret = conditions;
	return 0;
}

int record_declare(struct first_run *run, const Warm__Rpc__Ready *ready, Warm__Rpc__Conditions **ret, struct err *err)
{
	Warm__Rpc__Conditions *conditions = run->conditions;

	if (!ready) {
		*ret = take_ptr(run->conditions);
		return 0;
	}
	if (ready->interpreter)
		return declare_variables(run, ready, ret, err);
	conditions->env_from_launch = strings_copy(ready->env_from_launch, ready->n_env_from_launch);
	if (!conditions->env_from_launch)
		return err_set(err, ENOMEM, "out of memory");
	conditions->n_env_from_launch = ready->n_env_from_launch;
	declare_arguments(run->pid, ready, conditions);
	conditions->cwd_from_launch = ready->cwd_from_launch;
	run->conditions = NULL;
	*ret = conditions;
	return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

struct list {
	Warm__Rpc__File **file;
	size_t n, room;
};

static int changed(const char *path, struct err *err)
{
	return err_refuse(err, "start it once more", "%s changed after the program had started", path);
}

static Warm__Rpc__File *file_new(const char *path, char *const *suffix, size_t n_suffix)
{
	Warm__Rpc__File *file = malloc(sizeof(*file));

	if (!file)
		return NULL;
	warm__rpc__file__init(file);
	file->path = strdup(path);
	file->suffix = strings_copy(suffix, n_suffix);
	file->n_suffix = n_suffix;
	return file;
}

static int list_add(struct list *list, Warm__Rpc__File *file, struct err *err)
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

static int add_as_is_now(struct list *list, const char *path, char *const *suffix, size_t n_suffix, struct err *err)
{
	Warm__Rpc__File *file = file_new(path, suffix, n_suffix);
	int r = list_add(list, file, err);

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

/* They were looked at at different times, too. */
static int drop_doubles(struct list *list, struct err *err)
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
	return r;
}

/* The command first: watch looks at that one in each launch. */
static void command_first(struct list *list, const char *cmd)
{
	for (size_t i = 1; i < list->n; i++) {
		Warm__Rpc__File *file = list->file[i];

		if (!strcmp(file->path, cmd)) {
			list->file[i] = list->file[0];
			list->file[0] = file;
			return;
		}
	}
}

static int gather(struct list *list, const char *cmd, Warm__Rpc__Summary *summary, Warm__Rpc__Depends *const *depends,
                  size_t n_depends, struct err *err)
{
	int r = add_as_is_now(list, cmd, NULL, 0, err);

	for (size_t i = 0; !r && i < summary->n_file; i++) {
		r = list_add(list, summary->file[i], err);
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

static bool has_directory(const struct list *list, size_t n, const Warm__Rpc__File *dir)
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
static int gather_opened(struct list *list, const Warm__Rpc__Summary *summary, Warm__Rpc__Opened *opened,
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
		r = file->spoilt || file->unsure ? changed(file->path, err) : list_add(list, file, err);
		if (r)
			warm__rpc__file__free_unpacked(file, NULL);
	}
	return r;
}

struct spelling {
	struct list *list;
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
	file = file_new(path, NULL, 0);
	r = list_add(spelling->list, file, spelling->err);
	if (r)
		return r;
	file_note(file, &st);
	file->same_inode_only = !content;
	return 0;
}

static int gather_spelled(struct list *list, const Warm__Rpc__Conditions *conditions, bool recorded, int64_t since_ns,
                          struct err *err)
{
	struct spelling spelling = {list, list->n, recorded, err};

	if (conditions->interpreter[0]) /* its program is the launch's */
		return 0;
	return spelled_each(conditions, since_ns, add_spelled, &spelling, err);
}

static bool is_kept_out_of_nothing(const Warm__Rpc__Conditions *conditions)
{
	return conditions->cap_effective & (UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH);
}

static int add_searched(struct list *list, const char *path, struct err *err)
{
	Warm__Rpc__File *file;
	struct stat st;
	int r;

	if (stat(path, &st)) /* what is not there has nothing below it that could be read */
		return 0;
	file = file_new(path, NULL, 0);
	r = list_add(list, file, err);
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

/* The directories that lead to its files: it was let through. */
static int gather_searched(struct list *list, const Warm__Rpc__Conditions *conditions, struct err *err)
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

/* What it has made itself is what it has mapped or open. */
static bool written(const Warm__Rpc__Opened *opened, const char *path)
{
	for (size_t i = 0; opened && i < opened->n_written; i++) {
		if (!strcmp(opened->written[i], path))
			return true;
	}
	return false;
}

static int check_times(const struct list *list, const Warm__Rpc__Opened *opened, int64_t since_ns, struct err *err)
{
	char which[ERR_MSG_MAX - 64];

	for (size_t i = 0; i < list->n; i++) {
		if (file_newer(list->file[i], since_ns, which, sizeof(which)) && !written(opened, list->file[i]->path))
			return changed(which, err);
	}
	return 0;
}

/* ---- record ------------------------------------------------------------------------------------------------------ */

/* What was handed over to the conditions leaves holes. */
static void forget_files(Warm__Rpc__File ***file, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		if ((*file)[i])
			warm__rpc__file__free_unpacked((*file)[i], NULL);
	}
	free(*file);
	*file = NULL;
	*n = 0;
}

/* As long as it lives it writes where a clone would. */
static void note_original(Warm__Rpc__Record *record, const struct list *list, pid_t pid)
{
	CLEAN(fd) int dir = proc_open(pid);
	struct proc_stat stat;

	for (size_t i = 0; i < list->n; i++) {
		if (!list->file[i]->position)
			continue;
		record->original_pid = pid;
		if (dir >= 0 && !proc_stat_read(dir, &stat))
			record->original_start = stat.starttime;
		return;
	}
}

int record_new(const char *id, const struct first_run *run, Warm__Rpc__Conditions *conditions,
               Warm__Rpc__Summary *summary, Warm__Rpc__Depends *const *depends, size_t n_depends,
               Warm__Rpc__Opened *opened, Warm__Rpc__Record **ret, struct err *err)
{
	Warm__Rpc__Record *record = malloc(sizeof(*record));
	struct list list = {0};
	int r;

	if (!record)
		return err_set(err, ENOMEM, "out of memory");
	warm__rpc__record__init(record);
	record->conditions = conditions;
	record->summary = summary;
	record->id = strdup(id);
	record->name = strdup(run->name);
	record->ready = strdup(run->ready);
	record->notify = strdup(run->notify ? run->notify : "");
	record->said_ready = run->said_ready;
	if (run->traits_known) { /* both, or none */
		record->launched = traits_message(&run->launched);
		record->own = traits_message(&run->own);
	}
	record->created = (uint64_t)time(NULL);
	record->monotonic_ns = daemon_now_ns();

	r = gather(&list, conditions->cmd, summary, depends, n_depends, err);
	if (!r && opened)
		r = gather_opened(&list, summary, opened, err);
	forget_files(&summary->file, &summary->n_file);
	if (opened)
		forget_files(&opened->file, &opened->n_file);
	if (!r)
		r = gather_spelled(&list, conditions, opened || !run->adopted, run->started_ns, err);
	if (!r)
		r = gather_searched(&list, conditions, err);
	if (!r) {
		r = drop_doubles(&list, err);
		command_first(&list, conditions->cmd);
	}
	if (!r) {
		note_original(record, &list, run->pid);
		r = check_times(&list, opened, run->started_ns, err);
	}
	conditions->file = list.file;
	conditions->n_file = list.n;
	if (!r)
		r = unseen_note(run, opened, record, err);
	if (!r) {
		*ret = record;
		return 0;
	}
	forget_files(&conditions->file, &conditions->n_file);
	record->conditions = NULL;
	warm__rpc__record__free_unpacked(record, NULL);
	return r;
}

int record_memfd(const Warm__Rpc__Record *record, int *ret_fd, struct err *err)
{
	size_t len = warm__rpc__record__get_packed_size(record);
	CLEAN(fd) int fd = memfd_create("warm-record", MFD_CLOEXEC);
	CLEAN(free) uint8_t *buf = malloc(len + 1);
	int r;

	if (fd < 0 || !buf)
		return err_sys(err, errno, "keep the record");
	warm__rpc__record__pack(record, buf);
	r = fd_pwrite_full(fd, buf, len, 0);
	if (r)
		return err_sys(err, -r, "keep the record");
	*ret_fd = take_fd(&fd);
	return 0;
}
