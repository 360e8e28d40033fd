/* SPDX-License-Identifier: MIT */
/*
 * Interpreters that can be stopped just before the user's program, and the command lines that start them. Pure.
 *
 * A snapshot of such an interpreter serves any program: its key has the interpreter and its own options, not the
 * program. A new language is a kind, a parser of its command line, and a line in interp_table.
 */
#ifndef WARM_POLICY_INTERP_H
#define WARM_POLICY_INTERP_H

#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

enum interp_kind { INTERP_NONE, INTERP_PYTHON, INTERP_NODE, INTERP_JAVA };

struct interp {
	enum interp_kind kind;
	const char *name;
	const char *variable;   /* what stops it is a file beside Warm's programs: put in front of this variable, behind
	                           its = */
	const char *library;    /* that file, */
	const char *companion;  /* or that, where a program of its that does not call the hook is to be snapshotted: it
	                           sees to random numbers (node, Python), or to garbage (Java) */
	const char *separator;  /* and what comes behind it: one byte */
	const char *const *env; /* NAME or PREFIX*, NULL at the end: what it looks at before the program starts */
	const char *const *paths; /* variables of these that hold paths: where one is relative, the working directory
	                             counts */
};

/* By the base name of the command: python3, python3.11, ... NULL: none that we know. */
const struct interp *interp_of(const char *cmd);

#define INTERP_WORDS_MAX 64

/* What of a command line is the interpreter's, and what it runs. */
struct interp_line {
	const char *word[INTERP_WORDS_MAX]; /* argv[0] and the options, in their order; into argv, or text */
	size_t n_words;
	char text[64];
	char what;           /* how the program is named: f(ile), m(odule), c(ode), s(tandard input), j(ar), ... */
	const char *program; /* its name or text; "" where it has none */
	bool cwd;            /* the words name a place below the working directory: it counts */
};

/* 0, or -EINVAL with the reason in *why: the interpreter runs no program, or a line nobody understands. */
int interp_line_parse(const struct interp *interp, char *const *argv, size_t n_argv, struct interp_line *ret,
                      const char **why);

/* Of a command line whose bytes have no NUL behind them: what it runs, as in interp_line; *ret_program is to be freed.
 * -EINVAL: the command is no interpreter that we know, or nobody understands the line. Else 0 or -ENOMEM. */
int interp_program(const char *cmd, const ProtobufCBinaryData *argv, size_t n_argv, char *ret_what, char **ret_program);

/* Why a variable (NAME=VALUE) makes it do more than run a program, in words; NULL: it does not. */
const char *interp_env_check(const struct interp *interp, const char *entry);

/* Whether a list of paths, as in $PYTHONPATH, is read from the working directory. */
bool interp_path_is_relative(const char *list);

#define INTERP_HEAD_MAX 256 /* bytes of a file that the kernel looks at */

/* A `#!` line, as the kernel reads it (execve(2), "Interpreter scripts"). Cuts the strings in head. */
struct interp_script {
	char *interpreter;
	char *argument; /* or NULL */
};
bool interp_script_parse(char *head, size_t len, struct interp_script *ret);

#define INTERP_ENV_WORDS_MAX 8

/* `#!/usr/bin/env NAME`, or `env -S NAME WORD...` of words that env(1) leaves as they are: NAME, to be looked up in
 * $PATH, and the others; NULL at the end. Cuts the argument. false: it is not that. */
bool interp_script_env(struct interp_script *script, const char *ret_word[INTERP_ENV_WORDS_MAX + 1]);

/* Whether env(1) is told to start an interpreter that we know, in whatever way. */
bool interp_script_env_names_one(const struct interp_script *script);

#endif
