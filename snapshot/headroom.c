/* SPDX-License-Identifier: MIT */
#include "snapshot/headroom.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/fd.h"
#include "snapshot/subject.h"

#define FILE_MAX 65536

/* A number in a file of its own. "max", or no such file: UINT64_MAX. */
static uint64_t number_in(const char *dir, const char *group, const char *name)
{
	CLEAN(free) char *text = NULL;
	char path[PATH_MAX], *end;
	unsigned long long n;

	snprintf(path, sizeof(path), "%s%s/%s", dir, group, name);
	if (fd_read_file_at(AT_FDCWD, path, FILE_MAX, &text, NULL) < 0)
		return UINT64_MAX;
	n = strtoull(text, &end, 10);
	return end == text ? UINT64_MAX : n;
}

/* Pages of files that nobody has looked at for long: they go before anybody is ended. */
static uint64_t cached_in(const char *dir, const char *group, const char *key)
{
	CLEAN(free) char *text = NULL;
	char path[PATH_MAX];
	const char *line;

	snprintf(path, sizeof(path), "%s%s/memory.stat", dir, group);
	if (fd_read_file_at(AT_FDCWD, path, FILE_MAX, &text, NULL) < 0)
		return 0;
	line = strstr(text, key);
	return line ? strtoull(line + strlen(key), NULL, 10) : 0;
}

/* The group's own limit, and those of all above it. */
static uint64_t left_in(const char *dir, char *group, const char *limit_name, const char *used_name, const char *cached)
{
	uint64_t least = UINT64_MAX;

	for (;;) {
		uint64_t limit = number_in(dir, group, limit_name), used = number_in(dir, group, used_name);
		uint64_t left = limit == UINT64_MAX || used == UINT64_MAX ? UINT64_MAX
		                : limit > used                            ? limit - used
		                                                          : 0;
		char *slash = strrchr(group, '/');

		if (left != UINT64_MAX)
			left += cached_in(dir, group, cached);
		least = left < least ? left : least;
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* A line of /proc/PID/cgroup: "4:memory:/a/b", or of version 2 "0::/a/b". */
static uint64_t left_by_line(char *line)
{
	char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
	uint64_t a, b;
	char copy[PATH_MAX];

	if (!group)
		return UINT64_MAX;
	*group++ = '\0';
	snprintf(copy, sizeof(copy), "%s", group);
	if (strcmp(controllers, ":memory") == 0)
		return left_in("/sys/fs/cgroup/memory", copy, "memory.limit_in_bytes", "memory.usage_in_bytes",
		               "\ntotal_inactive_file ");
	if (strcmp(controllers, ":") != 0)
		return UINT64_MAX;
	a = left_in("/sys/fs/cgroup", copy, "memory.max", "memory.current", "\ninactive_file ");
	snprintf(copy, sizeof(copy), "%s", group);
	b = left_in("/sys/fs/cgroup/unified", copy, "memory.max", "memory.current", "\ninactive_file ");
	return a < b ? a : b;
}

static uint64_t left_in_groups(const struct subject *s)
{
	CLEAN(free) char *text = NULL;
	uint64_t least = UINT64_MAX;
	char *save = NULL;

	if (fd_read_file_at(s->proc_fd, "cgroup", FILE_MAX, &text, NULL) < 0)
		return least;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t left = left_by_line(line);

		least = left < least ? left : least;
	}
	return least;
}

static uint64_t left_on_machine(void)
{
	CLEAN(free) char *text = NULL;
	const char *line;
	uint64_t kib;

	if (fd_read_file_at(AT_FDCWD, "/proc/meminfo", FILE_MAX, &text, NULL) < 0)
		return 0;
	line = strstr(text, "\nMemAvailable:");
	return line && sscanf(line, "\nMemAvailable: %lu", &kib) == 1 ? kib << 10 : 0;
}

uint64_t memory_left(const struct subject *s)
{
	uint64_t machine = left_on_machine(), groups = left_in_groups(s);

	return machine < groups ? machine : groups;
}
