/* SPDX-License-Identifier: MIT */
#include "warmd/record.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "warmd/daemon.h"
#include "warmd/first_run.h"
#include "warmd/record_internal.h"
#include "warmd/traits.h"
#include "warmd/unseen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CMDLINE_MAX (1u << 20)

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
	conditions->env_from_launch = record_strings(ready->env_from_launch, ready->n_env_from_launch);
	if (!conditions->env_from_launch)
		return err_set(err, ENOMEM, "out of memory");
	conditions->n_env_from_launch = ready->n_env_from_launch;
	declare_arguments(run->pid, ready, conditions);
	conditions->cwd_from_launch = ready->cwd_from_launch;
	run->conditions = NULL;
	*ret = conditions;
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
static void note_original(Warm__Rpc__Record *record, const struct record_files *list, pid_t pid)
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
	struct record_files list = {0};
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

	r = record_files_gather(&list, conditions->cmd, summary, depends, n_depends, err);
	if (!r && opened)
		r = record_files_gather_opened(&list, summary, opened, err);
	forget_files(&summary->file, &summary->n_file);
	if (opened)
		forget_files(&opened->file, &opened->n_file);
	if (!r)
		r = record_files_gather_named(&list, run, conditions, opened || !run->adopted, err);
	if (!r)
		r = record_files_gather_searched(&list, conditions, err);
	if (!r)
		r = record_files_settle(&list, conditions->cmd, err);
	if (!r) {
		note_original(record, &list, run->pid);
		r = record_files_check_times(&list, opened, run->started_ns, err);
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
