/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/utf8.h"
#include "sdk/cli/hot/text.h"

size_t text_len(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int text_equal(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

int text_starts(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (*s != *prefix)
			return 0;
	return 1;
}

const char *text_find(const char *s, char c)
{
	for (; *s; s++)
		if (*s == c)
			return s;
	return NULL;
}

void text_copy(void *to, const void *from, size_t size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

const char *text_env(char *const *env, const char *name)
{
	size_t n = text_len(name);

	for (; *env; env++)
		if (text_starts(*env, name) && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

void text_init(struct text *text, char *buf, size_t size)
{
	text->at = buf;
	text->end = buf + size - 1; /* the last byte stays for the NUL */
	text->cut = 0;
	*buf = '\0';
}

void text_byte(struct text *text, char c)
{
	if (text->at == text->end) {
		text->cut = 1;
		return;
	}
	*text->at++ = c;
	*text->at = '\0';
}

void text_add(struct text *text, const char *s)
{
	while (*s)
		text_byte(text, *s++);
}

void text_number(struct text *text, uint64_t value)
{
	char digits[20];
	int n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while (value /= 10);
	while (n)
		text_byte(text, digits[--n]);
}

void text_json(struct text *text, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	if (!s || !*s) {
		text_add(text, "null");
		return;
	}
	text_byte(text, '"');
	while (*s) {
		unsigned char c = (unsigned char)*s;
		int n = utf8_len(s);

		if (n == 0) {
			text_add(text, "\\ufffd");
			s++;
		} else if (c == '"' || c == '\\') {
			text_byte(text, '\\');
			text_byte(text, *s++);
		} else if (c < 0x20 || c == 0x7f) {
			text_add(text, "\\u00");
			text_byte(text, hex[c >> 4]);
			text_byte(text, hex[c & 15]);
			s++;
		} else {
			for (; n; n--)
				text_byte(text, *s++);
		}
	}
	text_byte(text, '"');
}

void text_error(struct text *text, int err)
{
	static const struct {
		int err;
		const char *words;
	} known[] = {
	        {EPERM, "Operation not permitted"},
	        {ENOENT, "No such file or directory"},
	        {EIO, "Input/output error"},
	        {E2BIG, "Argument list too long"},
	        {ENOEXEC, "Exec format error"},
	        {EAGAIN, "Resource temporarily unavailable"},
	        {ENOMEM, "Cannot allocate memory"},
	        {EACCES, "Permission denied"},
	        {ENOTDIR, "Not a directory"},
	        {EISDIR, "Is a directory"},
	        {EINVAL, "Invalid argument"},
	        {ENFILE, "Too many open files in system"},
	        {EMFILE, "Too many open files"},
	        {ETXTBSY, "Text file busy"},
	        {ENAMETOOLONG, "File name too long"},
	        {ELOOP, "Too many levels of symbolic links"},
	        {ELIBBAD, "Accessing a corrupted shared library"},
	        {ECONNREFUSED, "Connection refused"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].err == err) {
			text_add(text, known[i].words);
			return;
		}
	text_add(text, "error ");
	text_number(text, (uint64_t)err);
}
