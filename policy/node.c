/* SPDX-License-Identifier: MIT */
#include "policy/node.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN 64

/* Options without a value. A name that ends in `*` stands for all that begin so. */
static const char *const flags[] = {
        "--abort-on-uncaught-exception",
        "--allow-natives-syntax",
        "--enable-source-maps",
        "--experimental-abortcontroller",
        "--experimental-detect-module",
        "--experimental-eventsource",
        "--experimental-fetch",
        "--experimental-global-customevent",
        "--experimental-global-webcrypto",
        "--experimental-import-meta-resolve",
        "--experimental-json-modules",
        "--experimental-modules",
        "--experimental-require-module",
        "--experimental-vm-modules",
        "--experimental-wasm-modules",
        "--experimental-websocket",
        "--experimental-worker",
        "--expose-gc",
        "--expose-internals",
        "--harmony*",
        "--insecure-http-parser",
        "--no-deprecation",
        "--no-experimental-*",
        "--no-extra-info-on-fatal-exception",
        "--no-force-async-hooks-checks",
        "--no-global-search-paths",
        "--no-harmony*",
        "--no-network-family-autoselection",
        "--no-opt",
        "--no-warnings",
        "--openssl-legacy-provider",
        "--openssl-shared-config",
        "--optimize-for-size",
        "--preserve-symlinks",
        "--preserve-symlinks-main",
        "--throw-deprecation",
        "--tls-max-v1.2",
        "--tls-max-v1.3",
        "--tls-min-v1.*",
        "--trace-deprecation",
        "--trace-exit",
        "--trace-uncaught",
        "--trace-warnings",
        "--use-bundled-ca",
        "--use-openssl-ca",
        "--warnings",
        "--zero-fill-buffers",
        NULL,
};

/* Options of node's with a value, behind `=` or in the next word; those of V8 take it behind `=` only. */
static const char *const with_value[] = {
        "--conditions",
        "--disable-warning",
        "--dns-result-order",
        "--import",
        "--input-type",
        "--require",
        "--max-http-header-size",
        "--openssl-config",
        "--unhandled-rejections",
        "--tls-cipher-list",
        "-C",
        "-r",
        NULL,
};
static const char *const v8_value[] = {
        "--initial-heap-size",  "--initial-old-space-size", "--max-heap-size",
        "--max-old-space-size", "--max-semi-space-size",    "--min-semi-space-size",
        "--stack-size",         "--stack-trace-limit",      NULL,
};

static bool is_listed(const char *name, const char *const *list)
{
	for (; *list; list++) {
		size_t len = strlen(*list);

		if ((*list)[len - 1] == '*' ? strncmp(name, *list, len - 1) == 0 : strcmp(name, *list) == 0)
			return true;
	}
	return false;
}

/* The name alone, with dashes, as node reads them: --expose_gc. Returns where the value begins, NULL: there is none. */
static const char *split(const char *word, char name[NAME_MAX_LEN])
{
	size_t len = word[1] == '-' ? strcspn(word, "=") : strlen(word);

	if (len >= NAME_MAX_LEN) {
		name[0] = '\0';
		return NULL;
	}
	for (size_t i = 0; i < len; i++)
		name[i] = word[i] == '_' ? '-' : word[i];
	name[len] = '\0';
	return word[len] ? word + len + 1 : NULL;
}

/* A value in a word of its own must not look like an option. */
static bool is_value(const char *word)
{
	return *word != '-' && *word != '\\';
}

/* How many words an option and its value are; 0: it is not let through. */
static size_t option_words(char *const *argv, size_t n_argv, size_t at)
{
	char name[NAME_MAX_LEN];
	const char *value = split(argv[at], name);

	if (value)
		return *value && (is_listed(name, with_value) || is_listed(name, v8_value)) ? 1 : 0;
	if (is_listed(name, flags))
		return 1;
	return is_listed(name, with_value) && at + 1 < n_argv && *argv[at + 1] && is_value(argv[at + 1]) ? 2 : 0;
}

/* -e CODE and the like: how many words; 0: it is another option; -EINVAL. */
static int code_words(char *const *argv, size_t n_argv, size_t at, struct node_line *line, const char **why)
{
	static const char *const names[] = {"-e", "--eval", "-p", "--print", "-pe", NULL};
	char name[NAME_MAX_LEN];
	const char *value = split(argv[at], name);
	int words = 1;

	if (!is_listed(name, names))
		return 0;
	if (!value) {
		value = at + 1 < n_argv && is_value(argv[at + 1]) ? argv[at + 1] : NULL;
		words = 2;
	} else if (strcmp(name, "--eval") != 0) {
		value = NULL; /* --print=true, and the code elsewhere */
	}
	if (line->n_code || !value) {
		*why = line->n_code ? "two programs" : "an option lacks its value";
		return -EINVAL;
	}
	line->kind = strcmp(name, "-e") == 0 || strcmp(name, "--eval") == 0 ? NODE_EVAL : NODE_PRINT;
	line->program = value;
	line->code = at;
	line->n_code = (size_t)words;
	return words;
}

int node_line_parse(char *const *argv, size_t n_argv, struct node_line *ret, const char **why)
{
	size_t at = 1;

	memset(ret, 0, sizeof(*ret));
	while (at < n_argv && argv[at][0] == '-' && argv[at][1] && strcmp(argv[at], "--") != 0) {
		int words = code_words(argv, n_argv, at, ret, why);

		if (words == 0)
			words = (int)option_words(argv, n_argv, at);
		if (words == 0)
			*why = "an option that is not known, or that does more than run a program";
		if (words <= 0)
			return -EINVAL;
		at += (size_t)words;
	}
	ret->n_options = at - 1;
	ret->args = at + (at < n_argv && strcmp(argv[at], "--") == 0);
	if (ret->args < n_argv && strcmp(argv[ret->args], "inspect") == 0) {
		*why = "it starts the debugger";
		return -EINVAL;
	}
	if (!ret->n_code && ret->args < n_argv && argv[ret->args][0] && strcmp(argv[ret->args], "-") != 0) {
		ret->kind = NODE_FILE;
		ret->program = argv[ret->args];
	}
	return 0;
}

bool node_options_known(const char *text)
{
	char copy[4096], *word[256], *save = NULL;
	size_t n = 0;

	if (strlen(text) >= sizeof(copy) || strpbrk(text, "\"\\"))
		return false;
	strcpy(copy, text);
	for (char *at = strtok_r(copy, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
		if (n == sizeof(word) / sizeof(word[0]))
			return false;
		word[n++] = at;
	}
	for (size_t at = 0, words; at < n; at += words) {
		words = word[at][0] == '-' ? option_words(word, n, at) : 0;
		if (words == 0)
			return false;
	}
	return true;
}
