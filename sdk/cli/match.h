/* SPDX-License-Identifier: MIT */
/* Whether a text occurs in a stream of bytes that comes in pieces of any size. */
#ifndef WARM_CLI_MATCH_H
#define WARM_CLI_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct match {
	char *text;
	size_t len;
	size_t *shorter; /* [n]: how much of the text the end of its first n bytes is the beginning of */
	size_t have;     /* bytes of it that were the last ones */
	bool no_returns; /* of a terminal: \r does not count */
};

/* text has at least one byte. 0 or -ENOMEM; match_fini() in either case. */
int match_init(struct match *match, const char *text, bool no_returns);
void match_fini(struct match *match);

/* True once it has occurred: the rest of the piece was not looked at. */
bool match_feed(struct match *match, const char *bytes, size_t n);

#endif
