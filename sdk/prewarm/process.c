/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"

#define PROC_TEXT_MAX 8192

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static size_t name_len(const char *assignment)
{
	return strcspn(assignment, "=");
}

static bool same_name(const char *a, const char *b)
{
	size_t len = name_len(a);

	return len == name_len(b) && memcmp(a, b, len) == 0;
}

static const char *find(char *const *env, const char *assignment)
{
	for (; env && *env; env++) {
		if (same_name(*env, assignment))
			return *env;
	}
	return NULL;
}

/* ---- the start --------------------------------------------------------------------------------------------------- */

int process_leave_preload(const char *library)
{
	const char *list = getenv("LD_PRELOAD");
	size_t len = strlen(library);

	if (!list || strncmp(list, library, len) != 0)
		return 0;
	if (list[len] == ':') {
		CLEAN(free) char *rest = strdup(list + len + 1);

		return !rest || setenv("LD_PRELOAD", rest, 1) ? -ENOMEM : 0;
	}
	return unsetenv("LD_PRELOAD") ? -errno : 0;
}

int process_start(const char *library, struct env_changes *changes)
{
	int r = process_leave_preload(library);
	size_t n = count(environ);

	if (r)
		return r;
	changes->was = calloc(n + 1, sizeof(*changes->was));
	for (size_t i = 0; changes->was && i < n; i++) {
		changes->was[i] = strdup(environ[i]);
		if (!changes->was[i])
			return -ENOMEM;
	}
	return changes->was ? 0 : -ENOMEM;
}

int process_note_changes(struct env_changes *changes)
{
	size_t n_set = 0, n_gone = 0;

	changes->set = calloc(count(environ) + 1, sizeof(*changes->set));
	changes->gone = calloc(count(changes->was) + 1, sizeof(*changes->gone));
	if (!changes->set || !changes->gone)
		return -ENOMEM;
	for (char **at = environ; *at; at++) {
		const char *was = find(changes->was, *at);

		if (was && strcmp(was, *at) == 0)
			continue;
		changes->set[n_set] = strdup(*at);
		if (!changes->set[n_set++])
			return -ENOMEM;
	}
	for (char **at = changes->was; *at; at++) {
		if (find(environ, *at))
			continue;
		changes->gone[n_gone] = strndup(*at, name_len(*at));
		if (!changes->gone[n_gone++])
			return -ENOMEM;
	}
	return 0;
}

/* ---- what the kernel knows --------------------------------------------------------------------------------------- */

int64_t process_written(void)
{
	CLEAN(free) char *text = NULL;
	int r = fd_read_file_at(AT_FDCWD, "/proc/self/io", PROC_TEXT_MAX, &text, NULL);
	const char *at = r ? NULL : strstr(text, "wchar:");

	return at ? strtoll(at + 6, NULL, 10) : r ? r : -ENODATA;
}

int process_look(struct proc_stat *ret)
{
	CLEAN(fd) int dir_fd = proc_open(getpid());

	return dir_fd < 0 ? dir_fd : proc_stat_read(dir_fd, ret);
}

/* ---- a copy ------------------------------------------------------------------------------------------------------ */

static char *put(char *at, const char *text)
{
	return stpcpy(at, text) + 1;
}

/* Where the kernel shows command line and environment from. Without this ps shows the first run's. */
static void show(const struct proc_stat *areas, const char *argv, const char *env, const char *end)
{
	struct prctl_mm_map map = {
	        .start_code = areas->start_code,
	        .end_code = areas->end_code,
	        .start_data = areas->start_data,
	        .end_data = areas->end_data,
	        .start_brk = areas->start_brk,
	        .brk = (uint64_t)(uintptr_t)sbrk(0),
	        .start_stack = areas->start_stack,
	        .arg_start = (uint64_t)(uintptr_t)argv,
	        .arg_end = (uint64_t)(uintptr_t)env,
	        .env_start = (uint64_t)(uintptr_t)env,
	        .env_end = (uint64_t)(uintptr_t)end,
	        .exe_fd = (uint32_t)-1,
	};

	prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

static int change_again(const struct env_changes *changes)
{
	for (char **at = changes->gone; *at; at++) {
		if (unsetenv(*at))
			return -errno;
	}
	for (char **at = changes->set; *at; at++) {
		CLEAN(free) char *name = strndup(*at, name_len(*at));

		if (!name || setenv(name, *at + strlen(name) + 1, 1))
			return -ENOMEM;
	}
	return 0;
}

int process_become(const struct proc_stat *areas, char *const *argv, size_t n_argv, char *const *env, size_t n_env,
                   const struct env_changes *changes, char **ret_argv)
{
	size_t size = 1;
	char *area, *at, *env_start, **list = calloc(n_env + 1, sizeof(*list));

	for (size_t i = 0; i < n_argv; i++)
		size += strlen(argv[i]) + 1;
	for (size_t i = 0; i < n_env; i++)
		size += strlen(env[i]) + 1;
	area = at = malloc(size); /* of memory that the standby has touched already; never freed */
	if (!list || !area)
		return -ENOMEM;
	for (size_t i = 0; i < n_argv; i++)
		at = put(at, argv[i]);
	env_start = at;
	for (size_t i = 0; i < n_env; i++) {
		list[i] = at;
		at = put(at, env[i]);
	}
	environ = list;
	if (ret_argv)
		*ret_argv = area;
	show(areas, area, env_start, at);
	return change_again(changes);
}
