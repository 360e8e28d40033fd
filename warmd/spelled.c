/* SPDX-License-Identifier: MIT */
#include "warmd/spelled.h"

#include "base/clean.h"
#include "base/err.h"
#include "warmd/above.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NS_PER_S INT64_C(1000000000)

struct walk {
	const char *cwd; /* NULL: absolute paths only */
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

static int look_at(const struct walk *walk, const char *text, size_t len)
{
	CLEAN(free) char *path = NULL;
	CLEAN(free) char *real = NULL;
	int r;

	if (!len || len >= PATH_MAX || (text[0] != '/' && !walk->cwd))
		return 0;
	r = text[0] == '/' ? asprintf(&path, "%.*s", (int)len, text)
	                   : asprintf(&path, "%s/%.*s", walk->cwd, (int)len, text);
	if (r < 0) {
		path = NULL;
		return err_set(walk->err, ENOMEM, "out of memory");
	}
	real = realpath(path, NULL);
	if (!real)
		return 0;
	r = strcmp(real, path) ? check_links(walk, path) : 0;
	return r ? r : walk->fn(walk->arg, path, real);
}

static int look_at_parts(const struct walk *walk, const char *text, size_t len)
{
	const char *end = text + len;
	int r = 0;

	if (!memchr(text, ':', len))
		return look_at(walk, text, len);
	for (const char *at = text, *colon; !r && at < end; at = colon + 1) {
		colon = memchr(at, ':', (size_t)(end - at));
		colon = colon ? colon : end;
		r = look_at(walk, at, (size_t)(colon - at));
	}
	return r ? r : look_at(walk, text, len);
}

static int look_at_value(const struct walk *walk, const ProtobufCBinaryData *word)
{
	const char *text = (const char *)word->data;
	const char *equals = word->len ? memchr(text, '=', word->len) : NULL;

	return equals ? look_at_parts(walk, equals + 1, word->len - (size_t)(equals + 1 - text)) : 0;
}

int spelled_each(const Warm__Rpc__Conditions *conditions, int64_t since_ns, spelled_fn *fn, void *arg, struct err *err)
{
	const ProtobufCBinaryData *dir = &conditions->cwd;
	CLEAN(free) char *cwd = dir->len ? strndup((const char *)dir->data, dir->len) : strdup("");
	struct walk words = {.cwd = cwd, .since_ns = since_ns, .fn = fn, .arg = arg, .err = err}, env = words;
	size_t n = conditions->n_argv;
	int r = cwd ? 0 : err_set(err, ENOMEM, "out of memory");

	env.cwd = NULL;
	if (conditions->argv_from_launch && conditions->fixed_args < n)
		n = conditions->fixed_args;
	for (size_t i = 1; !r && i < n; i++) {
		const ProtobufCBinaryData *word = &conditions->argv[i];

		r = word->len ? look_at_parts(&words, (const char *)word->data, word->len) : 0;
		if (!r)
			r = look_at_value(&words, word);
	}
	for (size_t i = 0; !r && i < conditions->n_env; i++)
		r = look_at_value(&env, &conditions->env[i]);
	return r;
}
