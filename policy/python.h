/* SPDX-License-Identifier: MIT */
/*
 * A command line of Python (CPython 3.8 and later), read as the interpreter itself reads it (python3(1)): which words
 * are its own options, and which program it runs. Pure; used by warmd for the key and by the interpreter's pre-warming
 * library for the launch.
 */
#ifndef WARM_POLICY_PYTHON_H
#define WARM_POLICY_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

enum python_program {
	PYTHON_STDIN,   /* no program, or `-`: read from standard input */
	PYTHON_FILE,    /* FILE: a script, a directory or an archive with a __main__.py */
	PYTHON_MODULE,  /* -m NAME */
	PYTHON_COMMAND, /* -c CODE */
};

#define PYTHON_LETTERS_MAX 32

struct python_line {
	enum python_program kind;
	const char *program;              /* FILE, NAME or CODE; NULL with PYTHON_STDIN */
	const char *argv0;                /* what sys.argv begins with: FILE, "-m", "-c", "-" or "" */
	size_t n_options;                 /* argv[1..n_options] are options and their values */
	char letters[PYTHON_LETTERS_MAX]; /* an option word that ends in -m or -c (as in -uBc), without it; "" none */
	size_t args;                      /* argv[args..] is the rest of sys.argv */
};

/* 0, or -EINVAL: the interpreter would not come as far as a program (a wrong option, or one such as --version); *why
 * says it in words. The strings stay the caller's. argv[0] must be there. */
int python_line_parse(char *const *argv, size_t n_argv, struct python_line *ret, const char **why);

#endif
