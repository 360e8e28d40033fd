/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/variables.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/prewarm/symbols.h"

#define EXPORT __attribute__((visibility("default")))

typedef char *getenv_fn(const char *name);

static char all[] = "*";

static struct {
	pthread_mutex_t lock;
	bool on;
	char *name[VARIABLES_MAX + 1]; /* the last may be a "*" */
	size_t n;
} variables = {.lock = PTHREAD_MUTEX_INITIALIZER};

void variables_watch(bool on)
{
	variables.on = on;
}

static void note_once(const char *name)
{
	for (size_t i = 0; i < variables.n; i++) {
		if (!strcmp(variables.name[i], name) || !strcmp(variables.name[i], "*"))
			return;
	}
	variables.name[variables.n] = variables.n < VARIABLES_MAX ? strdup(name) : NULL;
	if (!variables.name[variables.n])
		variables.name[variables.n] = all;
	variables.n++;
}

void variables_note(const char *name)
{
	pthread_mutex_lock(&variables.lock);
	note_once(name);
	pthread_mutex_unlock(&variables.lock);
}

char *const *variables_noted(size_t *n)
{
	*n = variables.n;
	return variables.name;
}

/* ---- in the place of libc's -------------------------------------------------------------------------------------- */

static char *look(const char *name, getenv_fn **next, const char *symbol)
{
	if (!*next)
		*next = (getenv_fn *)next_symbol(symbol);
	if (variables.on)
		variables_note(name);
	return (*next)(name);
}

EXPORT char *getenv(const char *name)
{
	static getenv_fn *next;

	return look(name, &next, "getenv");
}

EXPORT char *secure_getenv(const char *name)
{
	static getenv_fn *next;

	return look(name, &next, "secure_getenv");
}
