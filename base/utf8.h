/* SPDX-License-Identifier: MIT */
/* Text that others chose (names of files, arguments) in what people and programs read. No libc. */
#ifndef WARM_BASE_UTF8_H
#define WARM_BASE_UTF8_H

/* Bytes of the character at s, 0 where it is none. */
static inline int utf8_len(const char *s)
{
	const unsigned char *at = (const unsigned char *)s;
	int n = *at < 0x80                    ? 1
	        : (*at >= 0xc2 && *at < 0xe0) ? 2
	        : (*at >= 0xe0 && *at < 0xf0) ? 3
	        : (*at >= 0xf0 && *at < 0xf5) ? 4
	                                      : 0;

	for (int i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/*
 * One line that a terminal shows and does not obey: control characters and what is no UTF-8 become '?', in place, as
 * ls(1) has it.
 */
static inline void utf8_printable(char *s)
{
	while (*s) {
		const unsigned char *at = (const unsigned char *)s;
		int n = utf8_len(s);

		if (n == 0 || *at < 0x20 || *at == 0x7f)
			*s++ = '?';
		else if (*at == 0xc2 && at[1] < 0xa0) /* the second set of them */
			*s++ = '?', *s++ = '?';
		else
			s += n;
	}
}

#endif
