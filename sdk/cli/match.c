/* SPDX-License-Identifier: MIT */
/* Knuth, Morris and Pratt: each byte is looked at once, none is kept. */
#include "sdk/cli/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t advance(const struct match *match, size_t have, char byte)
{
	while (have && match->text[have] != byte)
		have = match->shorter[have];
	return have + (match->text[have] == byte);
}

int match_init(struct match *match, const char *text, bool no_returns)
{
	size_t size = strlen(text) + 1, n = 0;

	*match =
	        (struct match){.text = malloc(size), .shorter = calloc(size, sizeof(size_t)), .no_returns = no_returns};
	if (!match->text || !match->shorter)
		return -ENOMEM;
	for (; *text; text++)
		if (!no_returns || *text != '\r')
			match->text[match->len++] = *text;
	match->text[match->len] = '\0';
	for (size_t i = 1; i < match->len; i++)
		match->shorter[i + 1] = n = advance(match, n, match->text[i]);
	return 0;
}

void match_fini(struct match *match)
{
	free(match->text);
	free(match->shorter);
	*match = (struct match){0};
}

bool match_feed(struct match *match, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *next = match->have ? bytes + i : memchr(bytes + i, match->text[0], n - i);

		if (!next)
			return false;
		i = (size_t)(next - bytes);
		if (match->no_returns && bytes[i] == '\r')
			continue;
		match->have = advance(match, match->have, bytes[i]);
		if (match->have == match->len)
			return true;
	}
	return false;
}
