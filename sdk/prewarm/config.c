/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/config.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "sdk/prewarm/runtime.h"

#define MARK_MAX 32

/* ---- finding ----------------------------------------------------------------------------------------------------- */

/* Whether there are `size` bytes equal to `want` at an address that may be any number. */
static bool memory_is(uint64_t address, const void *want, size_t size)
{
	char got[MARK_MAX * sizeof(wchar_t)];

	return size <= sizeof(got) && peek(address, got, size) && !memcmp(got, want, size);
}

static bool text_is(uint64_t address, const wchar_t *want)
{
	return memory_is(address, want, (wcslen(want) + 1) * sizeof(wchar_t));
}

/* A list of two: a length, and a pointer to pointers. */
static bool list_is(const uint64_t *word, const wchar_t *first, const wchar_t *second)
{
	uint64_t item[2];

	return word[0] == 2 && peek(word[1], item, sizeof(item)) && text_is(item[0], first) && text_is(item[1], second);
}

/* Parses a marked command line; *ret_text and *ret_argv (may be NULL) are where the marks turned up, once each. */
static bool probe(const struct python_api *api, char *const *argv, ssize_t n_argv, const wchar_t *text,
                  size_t *ret_text, size_t *ret_argv)
{
	uint64_t *config = calloc(1, PY_CONFIG_BYTES);
	unsigned n_text = 0, n_argv_seen = 0;
	bool read;

	if (!config)
		return false;
	api->PyConfig_InitPythonConfig(config);
	read = !api->PyStatus_Exception(api->PyConfig_SetBytesArgv(config, n_argv, argv)) &&
	       !api->PyStatus_Exception(api->PyConfig_Read(config));
	for (size_t i = 0; read && i + 1 < PY_CONFIG_BYTES / sizeof(*config); i++) {
		if (text_is(config[i], text)) {
			*ret_text = i * sizeof(*config);
			n_text++;
		}
		if (ret_argv && list_is(config + i, L"-c", L"warm-argument")) {
			*ret_argv = i * sizeof(*config);
			n_argv_seen++;
		}
	}
	api->PyConfig_Clear(config);
	free(config);
	return n_text == 1 && (!ret_argv || n_argv_seen == 1);
}

static uint64_t field_at(const struct python_api *api, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)api->_Py_GetConfig() + offset, sizeof(value));
	return value;
}

/* What was found must agree with the program that this interpreter was started for. */
static bool fields_agree(const struct python_api *api, const struct program_fields *fields,
                         const struct python_line *line, size_t n_argv)
{
	uint64_t n = 1 + (n_argv - line->args);

	return !!field_at(api, fields->file) == (line->kind == PYTHON_FILE) &&
	       !!field_at(api, fields->module) == (line->kind == PYTHON_MODULE) &&
	       !!field_at(api, fields->command) == (line->kind == PYTHON_COMMAND) && field_at(api, fields->argv) == n;
}

bool program_fields_find(const struct python_api *api, const struct python_line *line, size_t n_argv,
                         struct program_fields *ret)
{
	char name[] = "python3", file[] = "/warm-file", module[] = "-mwarm-module", command[] = "-cwarm-code";
	char argument[] = "warm-argument";
	char *const run_file[] = {name, file}, *const run_module[] = {name, module};
	char *const run_command[] = {name, command, argument};

	return probe(api, run_file, 2, L"/warm-file", &ret->file, NULL) &&
	       probe(api, run_module, 2, L"warm-module", &ret->module, NULL) &&
	       probe(api, run_command, 3, L"warm-code\n", &ret->command, &ret->argv) &&
	       fields_agree(api, ret, line, n_argv) && (ret->words = runtime_words_find(api));
}

/* ---- setting ----------------------------------------------------------------------------------------------------- */

/* As the interpreter makes it absolute: not normalised. NULL: no memory. */
static char *file_path(const char *file)
{
	CLEAN(free) char *cwd = *file == '/' ? NULL : getcwd(NULL, 0);
	char *path = NULL;

	if (!cwd)
		return strdup(file); /* where there is no working directory, it stays as it is */
	if (!*file || !strcmp(file, "."))
		return take_ptr(cwd);
	return asprintf(&path, "%s/%s", cwd, file) < 0 ? NULL : path;
}

static char *command_text(const char *code)
{
	char *text = NULL;

	return asprintf(&text, "%s\n", code) < 0 ? NULL : text;
}

static bool set_text(const struct python_api *api, size_t offset, const char *text)
{
	char *config = (char *)(uintptr_t)api->_Py_GetConfig();
	wchar_t *wide = text ? api->Py_DecodeLocale(text, NULL) : NULL;
	bool ok = (wide || !text) && !api->PyStatus_Exception(api->PyConfig_SetString(
	                                     config, (wchar_t **)(void *)(config + offset), wide));

	api->PyMem_RawFree(wide);
	return ok;
}

static bool set_program(const struct python_api *api, const struct program_fields *fields,
                        const struct python_line *line)
{
	CLEAN(free) char *file = line->kind == PYTHON_FILE ? file_path(line->program) : NULL;
	CLEAN(free) char *code = line->kind == PYTHON_COMMAND ? command_text(line->program) : NULL;

	if ((line->kind == PYTHON_FILE && !file) || (line->kind == PYTHON_COMMAND && !code))
		return false;
	return set_text(api, fields->file, file) && set_text(api, fields->command, code) &&
	       set_text(api, fields->module, line->kind == PYTHON_MODULE ? line->program : NULL);
}

/* sys.NAME = list of words. */
static bool set_sys(const struct python_api *api, const char *name, wchar_t **wide, size_t n)
{
	void *list = api->PyList_New((ssize_t)n);

	for (size_t i = 0; list && i < n; i++) {
		void *text = api->PyUnicode_FromWideChar(wide[i], -1);

		if (!text)
			return false;
		api->PyList_SetItem(list, (ssize_t)i, text); /* takes it */
	}
	if (!list || api->PySys_SetObject(name, list))
		return false;
	api->Py_DecRef(list);
	return true;
}

bool program_set(const struct python_api *api, const struct program_fields *fields, const struct python_line *line,
                 char *const *argv, size_t n_argv)
{
	char *config = (char *)(uintptr_t)api->_Py_GetConfig();
	size_t n = 1 + (n_argv - line->args);
	wchar_t **wide = calloc(n_argv + 2, sizeof(*wide)), *argv0 = api->Py_DecodeLocale(line->argv0, NULL);
	bool ok = wide && argv0 && set_program(api, fields, line);

	for (size_t i = 0; ok && i < n_argv; i++) {
		wide[i] = api->Py_DecodeLocale(argv[i], NULL);
		ok = wide[i] != NULL;
	}
	ok = ok && set_sys(api, "orig_argv", wide, n_argv) && runtime_words_set(fields->words, wide, n_argv);
	if (ok && n > 0) {
		/* The words before the arguments are needed no more: the last of them makes room for sys.argv[0]. */
		wchar_t **from = wide + line->args - 1;

		from[0] = argv0;
		ok = set_sys(api, "argv", from, n) && !api->PyStatus_Exception(api->PyConfig_SetWideStringList(
		                                              config, config + fields->argv, (ssize_t)n, from));
	}
	free(wide);
	return ok;
}

const wchar_t *program_file(const struct python_api *api, const struct program_fields *fields)
{
	return (const wchar_t *)(uintptr_t)field_at(api, fields->file);
}
