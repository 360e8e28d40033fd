/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/runtime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/prewarm/symbols.h"

/* ---- words ------------------------------------------------------------------------------------------------------- */

struct runtime_words *runtime_words_find(const struct python_api *api)
{
	struct runtime_words *found = NULL;
	size_t size = 0;
	uint64_t *word = symbol_variables("Py_GetArgcArgv", &size);
	wchar_t **item = NULL;
	int n = 0;

	api->Py_GetArgcArgv(&n, &item);
	for (size_t i = 0; word && item && i + 1 < size / sizeof(*word); i++) {
		if (word[i] != (uint64_t)n || word[i + 1] != (uint64_t)(uintptr_t)item)
			continue;
		if (found)
			return NULL;
		found = (struct runtime_words *)(void *)(word + i);
	}
	return found;
}

/* CPython frees these by free(3), whatever allocator it was told to use for the rest. The old ones are not missed. */
bool runtime_words_set(struct runtime_words *words, wchar_t *const *item, size_t n)
{
	wchar_t **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = wcsdup(item[i]);
		if (!copy[i])
			return false;
	}
	if (!copy)
		return false;
	words->item = copy;
	words->n = n;
	return true;
}

/* ---- hooks ------------------------------------------------------------------------------------------------------- */

struct hook_entry { /* the same in every version */
	struct hook_entry *next;
	int (*hook)(const char *event, void *args, void *data);
	void *data;
};

void runtime_unhook(int (*hook)(const char *event, void *args, void *data))
{
	size_t size = 0;
	uint64_t *word = symbol_area("_PyRuntime", &size);

	for (size_t i = 0; word && i < size / sizeof(*word); i++) {
		struct hook_entry entry;

		if (word[i] % sizeof(void *) || !peek(word[i], &entry, sizeof(entry)) || entry.hook != hook)
			continue;
		word[i] = (uint64_t)(uintptr_t)entry.next;
		return;
	}
}
