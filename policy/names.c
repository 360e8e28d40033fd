/* SPDX-License-Identifier: MIT */
#include "policy/names.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "policy/key.h"

struct names {
	const ProtobufCBinaryData *cwd;
	names_fn *fn;
	void *arg;
};

static int offer(const struct names *names, const char *text, size_t len)
{
	char path[PATH_MAX];
	int n;

	if (!len || memchr(text, '\0', len) || memchr(text, '\n', len))
		return 0;
	if (text[0] == '/')
		n = snprintf(path, sizeof(path), "%.*s", (int)len, text);
	else if (names->cwd->len)
		n = snprintf(path, sizeof(path), "%.*s/%.*s", (int)names->cwd->len, (const char *)names->cwd->data,
		             (int)len, text);
	else
		return 0;
	return n < (int)sizeof(path) ? names->fn(names->arg, path) : 0;
}

/* With a mark or an option's letter in front: @PATH, -fPATH, -I/PATH, file:///PATH. */
static int offer_marked(const struct names *names, const char *text, size_t len)
{
	const char *slash = len ? memchr(text, '/', len) : NULL;
	int r = 0;

	if (len > 1 && text[0] == '@')
		r = offer(names, text + 1, len - 1);
	else if (len > 2 && text[0] == '-' && text[1] != '-')
		r = offer(names, text + 2, len - 2);
	if (!r && slash && slash != text && (text[0] == '-' || text[0] == '@'))
		r = offer(names, slash, len - (size_t)(slash - text));
	return r;
}

/* Lists, and what is behind `=`: parts that have a slash, and the whole of what is behind the first `=`. */
static int offer_parts(const struct names *names, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len), *end = text + len;
	int r = equals ? offer(names, equals + 1, (size_t)(end - equals - 1)) : 0;

	for (const char *at = text; !r && at < end;) {
		size_t part = 0;

		while (at + part < end && !strchr("=:,;", at[part]))
			part++;
		if (part < len && memchr(at, '/', part)) {
			r = offer(names, at, part);
			if (!r)
				r = offer_marked(names, at, part);
		}
		at += part + 1;
	}
	return r;
}

static int offer_word(const struct names *names, const char *text, size_t len)
{
	int r;

	if (!len || len >= PATH_MAX) /* code, or data */
		return 0;
	r = offer(names, text, len);
	if (!r)
		r = offer_marked(names, text, len);
	return r ? r : offer_parts(names, text, len);
}

/* Most variables are words; what has a slash may be a path. */
static int offer_variable(const struct names *names, const ProtobufCBinaryData *entry)
{
	const char *text = (const char *)entry->data, *equals = entry->len ? memchr(text, '=', entry->len) : NULL;
	size_t name = equals ? (size_t)(equals - text) + 1 : entry->len;

	return name < entry->len && memchr(text + name, '/', entry->len - name)
	               ? offer_word(names, text + name, entry->len - name)
	               : 0;
}

int names_each(const Warm__Rpc__Conditions *conditions, const char *const *ignored_env, names_fn *fn, void *arg)
{
	const struct names names = {&conditions->cwd, fn, arg};
	size_t n = conditions->n_argv;
	int r = offer(&names, conditions->cmd, strlen(conditions->cmd));

	if (conditions->argv_from_launch && conditions->fixed_args < n)
		n = conditions->fixed_args;
	for (size_t i = 0; !r && i < n; i++)
		r = offer_word(&names, (const char *)conditions->argv[i].data, conditions->argv[i].len);
	for (size_t i = 0; !r && i < conditions->n_env; i++) {
		if (key_env_counts(conditions, &conditions->env[i], ignored_env))
			r = offer_variable(&names, &conditions->env[i]);
	}
	return r;
}
