/* SPDX-License-Identifier: MIT */
#include "policy/interp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/java.h"
#include "policy/node.h"
#include "policy/python.h"

static const char *const python_env[] = {"PYTHON*", "LD_*", "GLIBC_TUNABLES", "MALLOC_*",   "LANG", "LANGUAGE", "LC_*",
                                         "LOCPATH", "TZ",   "TZDIR",          "GCONV_PATH", "HOME", NULL};
static const char *const python_paths[] = {"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "LD_*",
                                           "LOCPATH",    "TZDIR",      "GCONV_PATH",     NULL};

static const char *const node_env[] = {"NODE_*", "LD_*", "GLIBC_TUNABLES", "MALLOC_*", "OPENSSL_*", "SSL_CERT_*",
                                       "UV_*",   "LANG", "LANGUAGE",       "LC_*",     "TZ",        "HOME",
                                       NULL};
static const char *const node_paths[] = {"NODE_EXTRA_CA_CERTS", "OPENSSL_*", "SSL_CERT_*", "LD_*", NULL};

/* $CLASSPATH is the launch's like the rest of the class path, but for what only the launcher makes of it. */
static const char *const java_env[] = {"JAVA_*",   "_JAVA_*", "JDK_JAVA_*", "CLASSPATH", "LD_*", "GLIBC_TUNABLES",
                                       "MALLOC_*", "LANG",    "LANGUAGE",   "LC_*",      "TZ",   "HOME",
                                       NULL};
static const char *const java_paths[] = {"LD_*", NULL};

static const struct interp interp_table[] = {
        {INTERP_PYTHON, "python", "LD_PRELOAD=", "warm-python.so", "warm-python-renew.so", ":", python_env,
         python_paths},
        {INTERP_NODE, "node", "NODE_OPTIONS=--require=", "warm-node/stop.cjs", "warm-node/renew.cjs", " ", node_env,
         node_paths},
        {INTERP_NODE, "nodejs", "NODE_OPTIONS=--require=", "warm-node/stop.cjs", "warm-node/renew.cjs", " ", node_env,
         node_paths},
        {INTERP_JAVA, "java", "LD_PRELOAD=", "warm-java.so", "warm-java-collect.so", ":", java_env, java_paths},
};

/* python, python3, python3.11 */
static bool is_named(const char *base, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(base, name, len) != 0)
		return false;
	return base[len + strspn(base + len, "0123456789.")] == '\0';
}

const struct interp *interp_of(const char *cmd)
{
	const char *slash = strrchr(cmd, '/'), *base = slash ? slash + 1 : cmd;

	for (size_t i = 0; i < sizeof(interp_table) / sizeof(interp_table[0]); i++) {
		if (is_named(base, interp_table[i].name))
			return &interp_table[i];
	}
	return NULL;
}

/* ---- command lines ----------------------------------------------------------------------------------------------- */

static int parse_python(char *const *argv, size_t n_argv, struct interp_line *ret, const char **why)
{
	static const char what[] = {
	        [PYTHON_STDIN] = 's', [PYTHON_FILE] = 'f', [PYTHON_MODULE] = 'm', [PYTHON_COMMAND] = 'c'};
	struct python_line line;
	int r = python_line_parse(argv, n_argv, &line, why);

	if (r)
		return r;
	if (line.n_options + 2 > INTERP_WORDS_MAX) {
		*why = "too many options";
		return -EINVAL;
	}
	for (size_t i = 0; i <= line.n_options; i++)
		ret->word[ret->n_words++] = argv[i];
	if (line.letters[0]) {
		snprintf(ret->text, sizeof(ret->text), "%s", line.letters);
		ret->word[ret->n_words++] = ret->text;
	}
	ret->what = what[line.kind];
	ret->program = line.program ? line.program : "";
	return 0;
}

/* The words of -e are not in their place, but the last of all: one snapshot serves any code. */
static int parse_node(char *const *argv, size_t n_argv, struct interp_line *ret, const char **why)
{
	static const char *const mark[] = {
	        [NODE_STDIN] = "-", [NODE_FILE] = NULL, [NODE_EVAL] = "-e", [NODE_PRINT] = "-p"};
	static const char what[] = {[NODE_STDIN] = 's', [NODE_FILE] = 'f', [NODE_EVAL] = 'c', [NODE_PRINT] = 'c'};
	struct node_line line;
	int r = node_line_parse(argv, n_argv, &line, why);

	if (r)
		return r;
	if (line.n_options + 2 > INTERP_WORDS_MAX) {
		*why = "too many options";
		return -EINVAL;
	}
	for (size_t i = 0; i <= line.n_options; i++) {
		if (i < line.code || i >= line.code + line.n_code)
			ret->word[ret->n_words++] = argv[i];
	}
	if (mark[line.kind])
		ret->word[ret->n_words++] = mark[line.kind];
	ret->what = what[line.kind];
	ret->program = line.program ? line.program : "";
	return 0;
}

/* Without the class path, which is the launch's. An archive is opened by the launcher itself: one snapshot each. */
static int parse_java(char *const *argv, size_t n_argv, struct interp_line *ret, const char **why)
{
	struct java_line line;
	int r = java_line_parse(argv, n_argv, &line, why);

	if (r)
		return r;
	if (line.args > INTERP_WORDS_MAX) {
		*why = "too many options";
		return -EINVAL;
	}
	ret->word[ret->n_words++] = argv[0];
	for (size_t i = 1, n; i <= line.n_options; i += n) {
		bool is_class_path;

		n = java_option_words(argv, n_argv, i, &is_class_path);
		for (size_t j = i; j < i + n && !is_class_path; j++)
			ret->word[ret->n_words++] = argv[j];
	}
	ret->what = line.kind == JAVA_JAR ? 'j' : 'k';
	ret->program = line.program;
	if (line.kind == JAVA_JAR) {
		ret->word[ret->n_words++] = "-jar";
		ret->word[ret->n_words++] = line.program;
		ret->cwd = line.program[0] != '/';
	}
	return 0;
}

int interp_line_parse(const struct interp *interp, char *const *argv, size_t n_argv, struct interp_line *ret,
                      const char **why)
{
	memset(ret, 0, sizeof(*ret));
	switch (interp->kind) {
	case INTERP_PYTHON:
		return parse_python(argv, n_argv, ret, why);
	case INTERP_NODE:
		return parse_node(argv, n_argv, ret, why);
	case INTERP_JAVA:
		return parse_java(argv, n_argv, ret, why);
	default:
		*why = "not an interpreter that is known";
		return -EINVAL;
	}
}

int interp_program(const char *cmd, const ProtobufCBinaryData *argv, size_t n_argv, char *ret_what, char **ret_program)
{
	const struct interp *interp = interp_of(cmd);
	char **words = interp ? calloc(n_argv + 1, sizeof(*words)) : NULL;
	struct interp_line line;
	const char *why;
	int r = !interp ? -EINVAL : words ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < n_argv; i++) {
		words[i] = strndup((const char *)argv[i].data, argv[i].len);
		r = words[i] ? 0 : -ENOMEM;
	}
	if (!r)
		r = interp_line_parse(interp, words, n_argv, &line, &why);
	if (!r) {
		*ret_what = line.what;
		*ret_program = strdup(line.program);
		r = *ret_program ? 0 : -ENOMEM;
	}
	for (size_t i = 0; words && i < n_argv; i++)
		free(words[i]);
	free(words);
	return r;
}

const char *interp_env_check(const struct interp *interp, const char *entry)
{
	static const char name[] = "NODE_OPTIONS=";

	if (interp->kind != INTERP_NODE || strncmp(entry, name, sizeof(name) - 1) != 0 ||
	    node_options_known(entry + sizeof(name) - 1))
		return NULL;
	return "$NODE_OPTIONS has an option that is not known, or that does more than run a program";
}

bool interp_path_is_relative(const char *list)
{
	if (!*list)
		return false; /* as if it were not set */
	for (;; list = strchr(list, ':') + 1) {
		if (*list != '/')
			return true;
		if (!strchr(list, ':'))
			return false;
	}
}

/* ---- scripts ----------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool interp_script_parse(char *head, size_t len, struct interp_script *ret)
{
	char *at = head + 2, *end;

	if (len < 3 || head[0] != '#' || head[1] != '!')
		return false;
	end = memchr(head, '\n', len); /* a longer line is cut by some kernels, refused by others: not ours */
	if (!end || memchr(head, '\0', (size_t)(end - head)))
		return false;
	while (end > at && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*at))
		at++;
	if (!*at)
		return false;
	ret->interpreter = at;
	ret->argument = NULL;
	while (*at && !is_blank(*at))
		at++;
	if (*at) {
		*at++ = '\0';
		while (is_blank(*at))
			at++;
		ret->argument = at;
	}
	return true;
}

static bool is_env(const struct interp_script *script)
{
	const char *slash = strrchr(script->interpreter, '/');

	return slash && !strcmp(slash, "/env") && script->argument;
}

bool interp_script_env(struct interp_script *script, const char *ret_word[INTERP_ENV_WORDS_MAX + 1])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:/=%@";
	char *at = is_env(script) ? script->argument : NULL;
	size_t n = 0;

	if (at && !strncmp(at, "-S", 2))
		at += 2;
	else if (at && strpbrk(at, " \t")) /* one word to env, and no program's name */
		return false;
	while (at && *(at += strspn(at, " \t"))) {
		if (n == INTERP_ENV_WORDS_MAX)
			return false;
		ret_word[n++] = at;
		at += strspn(at, plain);
		if (*at && !is_blank(*at)) /* quotes, variables, ... */
			return false;
		if (*at)
			*at++ = '\0';
	}
	ret_word[n] = NULL;
	return n && ret_word[0][0] != '-' && !strpbrk(ret_word[0], "=/");
}

bool interp_script_env_names_one(const struct interp_script *script)
{
	char words[INTERP_HEAD_MAX], *rest;

	if (!is_env(script))
		return false;
	snprintf(words, sizeof(words), "%s", script->argument);
	for (char *word = strtok_r(words, " \t\"'/=", &rest); word; word = strtok_r(NULL, " \t\"'/=", &rest)) {
		if (interp_of(word))
			return true;
	}
	return false;
}
