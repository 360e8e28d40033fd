/* SPDX-License-Identifier: MIT */
/*
 * A command line of Node 20, read as node itself reads it (node(1)): which words are its own options, and
 * which program it runs. Only options that are known to change nothing, or only what the key has, are let through: what
 * is printed, opened or watched because of an option would be missing from a copy. Pure; used by warmd for the key and
 * by the pre-warmed node for the launch.
 */
#ifndef WARM_POLICY_NODE_H
#define WARM_POLICY_NODE_H

#include <stdbool.h>
#include <stddef.h>

enum node_program {
	NODE_STDIN, /* no program, or `-`: read from standard input */
	NODE_FILE,  /* FILE, ES module or not */
	NODE_EVAL,  /* -e CODE */
	NODE_PRINT, /* -p CODE: its value is printed */
};

struct node_line {
	enum node_program kind;
	const char *program; /* FILE or CODE; NULL with NODE_STDIN */
	size_t n_options;    /* argv[1..n_options] are options and their values: process.execArgv */
	size_t code,
	        n_code; /* argv[code..code+n_code) of them are -e CODE, in one word or two; n_code 0: there is none */
	size_t args;    /* argv[args..] is process.argv[1..]; with NODE_FILE it begins with FILE */
};

/* 0, or -EINVAL: node would not come as far as a program, or with an option that is not let through; *why says it in
 * words. The strings stay the caller's. argv[0] must be there. */
int node_line_parse(char *const *argv, size_t n_argv, struct node_line *ret, const char **why);

/* Whether all that $NODE_OPTIONS says is let through. No quotes are understood. */
bool node_options_known(const char *text);

#endif
