/* SPDX-License-Identifier: MIT */
/*
 * Py_RunMain() asks sys.path_hooks whether the program's file is an archive or a directory with a __main__.py. For a
 * script they find out, in Python, that it is neither; sys.path_importer_cache then has None for it. Here C finds it
 * out, for a tenth of the time.
 */
#ifndef WARM_PREWARM_IMPORTER_H
#define WARM_PREWARM_IMPORTER_H

#include <stdbool.h>
#include <wchar.h>

struct python_api;

/* A program's file: neither an archive nor a directory. */
bool importer_is_script(const char *path);

/* remember: sys.path_importer_cache.setdefault; name: the file's as Py_RunMain() has it, path: as it is opened. Where
 * it may be an archive or a directory nothing is remembered. */
void importer_foresee(const struct python_api *api, void *remember, const wchar_t *name, const char *path);

#endif
