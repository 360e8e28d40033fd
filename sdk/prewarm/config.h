/* SPDX-License-Identifier: MIT */
/*
 * Where in CPython's configuration the program stands that Py_RunMain() is going to run. The layout changes with every
 * version; where things lie is found out by giving the parser of this very interpreter marked command lines and looking
 * for the marks.
 */
#ifndef WARM_PREWARM_CONFIG_H
#define WARM_PREWARM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>
#include "policy/python.h"
#include "sdk/prewarm/symbols.h"

struct runtime_words;

struct program_fields { /* offsets in PyConfig */
	size_t file, module, command;
	size_t argv; /* PyWideStringList: sys.argv */
	struct runtime_words *words;
};

/* The interpreter must be initialised; line, n_argv: its own, to check the result by. false: not understood. */
bool program_fields_find(const struct python_api *api, const struct python_line *line, size_t n_argv,
                         struct program_fields *ret);

/* Makes the interpreter run another program, with another sys.argv and sys.orig_argv. false: no memory. */
bool program_set(const struct python_api *api, const struct program_fields *fields, const struct python_line *line,
                 char *const *argv, size_t n_argv);

/* The file that Py_RunMain() is going to run, absolute; NULL: none. The interpreter's. */
const wchar_t *program_file(const struct python_api *api, const struct program_fields *fields);

#endif
