/* SPDX-License-Identifier: MIT */
/* The text of --ready stdout: is found exactly where strstr(3) finds it, in whatever pieces the output comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/cli/match.h"

/* Where the text ends, or -1. Pieces of `piece` bytes. */
static long found_at(const char *text, const char *stream, size_t piece, bool no_returns)
{
	struct match match;
	size_t len = strlen(stream);
	long ret = -1;

	assert_int_equal(match_init(&match, text, no_returns), 0);
	for (size_t at = 0; at < len && ret < 0; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		if (match_feed(&match, stream + at, n))
			ret = (long)(at + n);
	}
	match_fini(&match);
	return ret;
}

static void test_found_byte_by_byte_where_strstr_finds_it(void **state)
{
	char text[8], stream[64];

	(void)state;
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		size_t n = 1 + (size_t)random() % (sizeof(text) - 1);
		const char *there;

		for (size_t i = 0; i < n; i++)
			text[i] = (char)('a' + random() % 2);
		text[n] = '\0';
		for (size_t i = 0; i < sizeof(stream) - 1; i++)
			stream[i] = (char)('a' + random() % 2);
		stream[sizeof(stream) - 1] = '\0';
		there = strstr(stream, text);
		assert_int_equal(found_at(text, stream, 1, false), there ? there - stream + (long)n : -1);
	}
}

static void test_found_in_pieces_of_any_size(void **state)
{
	static const char stream[] = "aabaabaaabaabaab and on";

	(void)state;
	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		long at = found_at("aabaabaab", stream, piece, false);

		assert_true(at >= 16 && at < 16 + (long)piece);
		assert_int_equal(found_at("aabaabab", stream, piece, false), -1);
	}
}

static void test_returns_of_a_terminal_do_not_count(void **state)
{
	(void)state;
	assert_int_equal(found_at("one\ntwo", "one\r\ntwo", 1, true), 8);
	assert_int_equal(found_at("one\r\ntwo", "one\r\ntwo", 1, true), 8);
	assert_int_equal(found_at("one\ntwo", "one\r\ntwo", 1, false), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_found_byte_by_byte_where_strstr_finds_it),
	        cmocka_unit_test(test_found_in_pieces_of_any_size),
	        cmocka_unit_test(test_returns_of_a_terminal_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
