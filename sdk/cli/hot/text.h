/* SPDX-License-Identifier: MIT */
/* Strings without a libc. A `struct text` is a bounded buffer that is appended to; what does not fit is cut off. */
#ifndef WARM_HOT_TEXT_H
#define WARM_HOT_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *at, *end; /* where the next byte goes; one behind the buffer */
	int cut;        /* something did not fit */
};

size_t text_len(const char *s);
int text_equal(const char *a, const char *b);
int text_starts(const char *s, const char *prefix);
const char *text_find(const char *s, char c); /* NULL: not there */
void text_copy(void *to, const void *from, size_t size);

/* The value of a variable in env[], or NULL. */
const char *text_env(char *const *env, const char *name);

void text_init(struct text *text, char *buf, size_t size);
void text_byte(struct text *text, char c);
void text_add(struct text *text, const char *s);
void text_number(struct text *text, uint64_t value);
void text_json(struct text *text, const char *s); /* quoted and escaped; NULL or "": null */
void text_error(struct text *text, int err);      /* what strerror() says of a positive errno */

#endif
