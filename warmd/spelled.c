/* SPDX-License-Identifier: MIT */
#include "warmd/spelled.h"

#include "base/clean.h"
#include "base/err.h"
#include "policy/names.h"
#include "warmd/above.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NS_PER_S INT64_C(1000000000)

struct walk {
	int64_t since_ns;
	spelled_fn *fn;
	void *arg;
	struct err *err;
};

static int check_link(const struct walk *walk, const char *path)
{
	struct stat st;

	if (lstat(path, &st) || !S_ISLNK(st.st_mode) ||
	    st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec <= walk->since_ns)
		return 0;
	return err_refuse(walk->err, "start it once more", "%s, a link, changed after the program had started", path);
}

static int check_links(const struct walk *walk, const char *path)
{
	struct above above = {0};
	int r = above_add(&above, path) < 0 ? err_set(walk->err, ENOMEM, "out of memory") : check_link(walk, path);

	for (size_t i = 0; !r && i < above.n; i++)
		r = check_link(walk, above.path[i]);
	above_fini(&above);
	return r;
}

/* 0, with *ret_path and *ret_real; 1: it leads to nothing. */
static int resolve(const char *name, char **ret_path, char **ret_real)
{
	CLEAN(free) char *path = strdup(name);
	char *real = path ? realpath(path, NULL) : NULL, *slash = path ? strrchr(path, '/') : NULL;

	if (!real && slash && slash != path && (errno == ENOENT || errno == ENOTDIR)) {
		*slash = '\0';
		real = realpath(path, NULL);
	}
	if (!real)
		return 1;
	*ret_path = take_ptr(path);
	*ret_real = real;
	return 0;
}

static int look_at(void *arg, const char *name)
{
	const struct walk *walk = arg;
	CLEAN(free) char *path = NULL;
	CLEAN(free) char *real = NULL;
	int r;

	if (resolve(name, &path, &real))
		return 0;
	r = strcmp(real, path) ? check_links(walk, path) : 0;
	return r ? r : walk->fn(walk->arg, path, real);
}

int spelled_each(const Warm__Rpc__Conditions *conditions, const char *const *ignored_env, int64_t since_ns,
                 spelled_fn *fn, void *arg, struct err *err)
{
	struct walk walk = {.since_ns = since_ns, .fn = fn, .arg = arg, .err = err};

	return names_each(conditions, ignored_env, look_at, &walk);
}
