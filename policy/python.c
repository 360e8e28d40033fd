/* SPDX-License-Identifier: MIT */
#include "policy/python.h"

#include <errno.h>
#include <string.h>

#define FLAGS      "bBdEiIOPqRsStuvx" /* single letters without a value; t has been ignored since 3.0 */
#define WITH_VALUE "WX"
#define PRINT_ONLY "hVJ?"
#define LONG_HASH  "--check-hash-based-pycs"

/* One word of options. `at` is its number; *next the first word behind it and behind its value. Returns the letter of
 * the program (m or c, whose value is *value), 0, or -EINVAL. */
static int read_word(char *const *argv, size_t n_argv, size_t at, size_t *next, const char **value,
                     struct python_line *line, const char **why)
{
	const char *word = argv[at];

	*next = at + 1;
	for (const char *letter = word + 1; *letter; letter++) {
		bool program = *letter == 'm' || *letter == 'c';

		if (strchr(FLAGS, *letter))
			continue;
		if (strchr(PRINT_ONLY, *letter)) {
			*why = "it only prints something";
			return -EINVAL;
		}
		if (!program && !strchr(WITH_VALUE, *letter)) {
			*why = "an option that is not known";
			return -EINVAL;
		}
		*value = letter[1] ? letter + 1 : *next < n_argv ? argv[(*next)++] : NULL;
		if (!*value) {
			*why = "an option lacks its value";
			return -EINVAL;
		}
		if (!program)
			return 0;
		if (letter - word >= PYTHON_LETTERS_MAX) {
			*why = "too many options in one word";
			return -EINVAL;
		}
		if (letter > word + 1)
			memcpy(line->letters, word, (size_t)(letter - word));
		return *letter;
	}
	return 0;
}

static int read_long(char *const *argv, size_t n_argv, size_t at, size_t *next, const char **why)
{
	*next = at + 2;
	if (strcmp(argv[at], LONG_HASH) == 0 && *next <= n_argv)
		return 0;
	*why = "it only prints something, or an option is wrong";
	return -EINVAL;
}

int python_line_parse(char *const *argv, size_t n_argv, struct python_line *ret, const char **why)
{
	const char *value = NULL;
	size_t at = 1, next;
	int letter = 0;

	memset(ret, 0, sizeof(*ret));
	for (; at < n_argv && argv[at][0] == '-' && argv[at][1]; at = next) {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		letter = argv[at][1] == '-' ? read_long(argv, n_argv, at, &next, why)
		                            : read_word(argv, n_argv, at, &next, &value, ret, why);
		if (letter < 0)
			return letter;
		if (letter) {
			ret->kind = letter == 'm' ? PYTHON_MODULE : PYTHON_COMMAND;
			ret->program = value;
			ret->argv0 = letter == 'm' ? "-m" : "-c";
			ret->n_options = at - 1;
			ret->args = next;
			return 0;
		}
	}
	ret->n_options = at - 1;
	ret->argv0 = at < n_argv ? argv[at] : "";
	ret->args = at < n_argv ? at + 1 : at;
	if (at < n_argv && strcmp(argv[at], "-") != 0) {
		ret->kind = PYTHON_FILE;
		ret->program = argv[at];
	}
	return 0;
}
