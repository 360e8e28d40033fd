/* SPDX-License-Identifier: MIT */
#include "warmd/above.h"

#include "base/clean.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* one after the other: the kernel does not follow more */

static int add_directory(struct above *above, const char *path, size_t len, unsigned links);
static int add_file(struct above *above, const char *path, unsigned links);

static int add_above(struct above *above, const char *path, size_t len, unsigned links)
{
	while (len && path[len - 1] != '/')
		len--;
	while (len && path[len - 1] == '/')
		len--;
	return len ? add_directory(above, path, len, links) : 0;
}

int above_add(struct above *above, const char *path)
{
	return add_file(above, path, LINKS_MAX);
}

void above_fini(struct above *above)
{
	for (size_t i = 0; i < above->n; i++)
		free(above->path[i]);
	free(above->path);
	*above = (struct above){0};
}

/* Where a symbolic link points to. NULL: it is none, or too far; *ret_r says whether there was no memory. */
static char *target_of(const char *path, unsigned links, int *ret_r)
{
	char target[PATH_MAX], *ret;
	ssize_t n = links ? readlink(path, target, sizeof(target) - 1) : 0;
	int beside;

	*ret_r = 0;
	while (n > 0 && target[n - 1] == '/')
		n--;
	if (n <= 0)
		return NULL;
	beside = target[0] == '/' ? 0 : (int)(strrchr(path, '/') + 1 - path);
	if (asprintf(&ret, "%.*s%.*s", beside, path, (int)n, target) >= 0)
		return ret;
	*ret_r = -ENOMEM;
	return NULL;
}

static int add_target(struct above *above, const char *dir, unsigned links)
{
	int r;
	CLEAN(free) char *path = target_of(dir, links, &r);

	return path ? add_directory(above, path, strlen(path), links - 1) : r;
}

/* true: it is there; else *at is where it belongs. */
static bool find(const struct above *above, const char *path, size_t len, size_t *at)
{
	size_t low = 0, high = above->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strncmp(above->path[middle], path, len);

		if (!order && !above->path[middle][len])
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return false;
}

static int insert(struct above *above, size_t at, char *path)
{
	char **more = reallocarray(above->path, above->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	memmove(more + at + 1, more + at, (above->n++ - at) * sizeof(*more));
	more[at] = path;
	above->path = more;
	return 0;
}

static int add_directory(struct above *above, const char *path, size_t len, unsigned links)
{
	size_t at;
	char *dir;
	int r;

	if (find(above, path, len, &at))
		return 0; /* and so is what is above it */
	dir = strndup(path, len);
	r = dir ? insert(above, at, dir) : -ENOMEM;
	if (r) {
		free(dir);
		return r;
	}
	r = add_target(above, dir, links);
	return r ? r : add_above(above, dir, len, links);
}

/* A file that is a link is watched itself, and so is what it leads to in the end: what is between them is ours. */
static int add_file(struct above *above, const char *path, unsigned links)
{
	int r = add_above(above, path, strlen(path), links);
	CLEAN(free) char *target = NULL;
	char next[2];
	size_t at;

	if (!r)
		target = target_of(path, links, &r);
	if (!target)
		return r;
	if (readlink(target, next, sizeof(next)) > 0 && !find(above, target, strlen(target), &at)) {
		char *link = strdup(target);

		r = link ? insert(above, at, link) : -ENOMEM;
		if (r) {
			free(link);
			return r;
		}
	}
	return add_file(above, target, links - 1);
}
