/* SPDX-License-Identifier: MIT */
#include "sdk/c/launch.h"

#include "sdk/c/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

extern void RAND_add(const void *data, int len, double entropy) __attribute__((weak));

static int drop_named(char *const *pattern, size_t n_pattern);
static int set_variable(const char *assignment, bool there);
static bool is_named(const char *assignment, char *const *pattern, size_t n_pattern);

int launch_environment(const struct hook_answer *answer, char *const *pattern, size_t n_pattern)
{
	int r = 0;

	for (size_t i = 0; i < answer->n_env_change && r == 0; i++)
		r = set_variable(answer->env_change[i], strchr(answer->env_change[i], '='));
	if (!n_pattern || r < 0)
		return r;
	r = drop_named(pattern, n_pattern);
	for (size_t i = 0; i < answer->n_env && r == 0; i++)
		if (is_named(answer->env[i], pattern, n_pattern))
			r = set_variable(answer->env[i], true);
	return r;
}

void launch_stdio(void)
{
	__fpurge(stdin);
	clearerr(stdin);
	clearerr(stdout);
	clearerr(stderr);
}

int launch_random(void)
{
	uint8_t seed[32];
	ssize_t n;

	if (!RAND_add)
		return 0;
	n = getrandom(seed, sizeof(seed), 0); /* at most 256 bytes: all or nothing */
	if (n != sizeof(seed))
		return n < 0 ? -errno : -EIO;
	RAND_add(seed, sizeof(seed), sizeof(seed));
	return 0;
}

static int drop_named(char *const *pattern, size_t n_pattern)
{
	size_t i = 0;

	/* unsetenv() moves what follows down, so the index advances only where nothing was removed. */
	while (environ && environ[i]) {
		int r = 0;

		if (is_named(environ[i], pattern, n_pattern))
			r = set_variable(environ[i], false);
		else
			i++;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Sets the variable of NAME=VALUE, or removes that of NAME or NAME=VALUE. */
static int set_variable(const char *assignment, bool there)
{
	const char *equals = strchrnul(assignment, '=');
	char *name = strndup(assignment, (size_t)(equals - assignment));
	int r;

	if (!name)
		return -ENOMEM;
	r = there ? setenv(name, equals + 1, 1) : unsetenv(name);
	free(name);
	return r < 0 ? -ENOMEM : 0;
}

static bool is_named(const char *assignment, char *const *pattern, size_t n_pattern)
{
	const char *equals = strchr(assignment, '=');
	size_t len = equals ? (size_t)(equals - assignment) : 0;

	if (!len)
		return false;
	for (size_t i = 0; i < n_pattern; i++) {
		size_t n = strlen(pattern[i]);
		bool prefix = pattern[i][n - 1] == '*';

		if (prefix ? len >= n - 1 && !memcmp(assignment, pattern[i], n - 1)
		           : len == n && !memcmp(assignment, pattern[i], n))
			return true;
	}
	return false;
}
