/* SPDX-License-Identifier: MIT */
#include "base/cgroup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

bool cgroup_next(const char **text, struct cgroup_line *ret)
{
	const char *end = strchr(*text, '\n'), *controllers, *path;

	if (!end)
		return false;
	controllers = memchr(*text, ':', (size_t)(end - *text));
	path = controllers ? memchr(controllers + 1, ':', (size_t)(end - controllers - 1)) : NULL;
	if (!path)
		return false;
	ret->controllers = controllers + 1;
	ret->n_controllers = (size_t)(path - ret->controllers);
	ret->path = path + 1;
	ret->n_path = (size_t)(end - ret->path);
	*text = end + 1;
	return true;
}

bool cgroup_same(const char *text, const struct cgroup_line *line, struct cgroup_line *ret)
{
	while (cgroup_next(&text, ret)) {
		if (ret->n_controllers == line->n_controllers &&
		    !memcmp(ret->controllers, line->controllers, line->n_controllers))
			return true;
	}
	return false;
}

/* Is `word`, up to a comma or its end, among the words of a list that ends at a blank or a line's end? */
static bool has_option(const char *options, const char *word, size_t n_word)
{
	for (size_t n; *options && *options != '\n' && *options != ' '; options += n + (options[n] == ',')) {
		n = strcspn(options, ", \n");
		if (n == n_word && !memcmp(options, word, n))
			return true;
	}
	return false;
}

/* All controllers of a hierarchy are among the options of the file system that shows it. */
static bool is_hierarchy(const char *type, const char *options, const struct cgroup_line *line)
{
	if (strcmp(type, line->n_controllers ? "cgroup" : "cgroup2") != 0)
		return false;
	for (size_t at = 0, n; at < line->n_controllers; at += n + 1) {
		const char *word = line->controllers + at, *comma = memchr(word, ',', line->n_controllers - at);

		n = comma ? (size_t)(comma - word) : line->n_controllers - at;
		if (!has_option(options, word, n))
			return false;
	}
	return true;
}

/* What lies behind the mount's root in the group's path; NULL: the group is not below it. */
static const char *below(const char *root, const struct cgroup_line *line, size_t *ret_len)
{
	size_t n = strcmp(root, "/") ? strlen(root) : 0;

	if (n > line->n_path || memcmp(root, line->path, n) || (n < line->n_path && line->path[n] != '/'))
		return NULL;
	if (line->n_path - n >= 3 && !memcmp(line->path + n, "/..", 3) &&
	    (line->n_path - n == 3 || line->path[n + 3] == '/')) /* outside of this cgroup namespace */
		return NULL;
	*ret_len = line->n_path - n;
	return line->path + n;
}

int cgroup_folder(const char *mountinfo, const struct cgroup_line *line, char *ret, size_t size)
{
	char root[PATH_MAX], place[PATH_MAX], type[32];
	int r = -ENODEV;

	for (const char *end; *mountinfo; mountinfo = end) {
		const char *separator = strstr(mountinfo, " - "), *options, *inside;
		size_t len;
		int at = 0;

		end = strchrnul(mountinfo, '\n');
		end += *end == '\n';
		if (!separator || separator >= end ||
		    sscanf(mountinfo, "%*u %*u %*s %4095s %4095s", root, place) != 2 ||
		    sscanf(separator, " - %31s %*s %n", type, &at) != 1 || !at)
			continue;
		options = separator + at;
		if (!is_hierarchy(type, options, line))
			continue;
		inside = below(root, line, &len);
		if (!inside)
			r = -EXDEV;
		else if ((size_t)snprintf(ret, size, "%s%.*s", place, (int)len, inside) >= size)
			return -ENAMETOOLONG;
		else
			return 0;
	}
	return r;
}
