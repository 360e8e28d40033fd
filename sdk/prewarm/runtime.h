/* SPDX-License-Identifier: MIT */
/*
 * What CPython keeps among its variables and has no function for. The layout changes with every version; things are
 * found by what must stand there.
 */
#ifndef WARM_PREWARM_RUNTIME_H
#define WARM_PREWARM_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

struct python_api;

/* The interpreter's own command line, as Py_GetArgcArgv() says it: a PyWideStringList. */
struct runtime_words {
	size_t n;
	wchar_t **item;
};

/* NULL: not found, or in more than one place. */
struct runtime_words *runtime_words_find(const struct python_api *api);
/* Copies the words. false: no memory. */
bool runtime_words_set(struct runtime_words *words, wchar_t *const *item, size_t n);

/* Takes out what PySys_AddAuditHook() has put in. Where it is not found it stays, and costs a little. */
void runtime_unhook(int (*hook)(const char *event, void *args, void *data));

#endif
