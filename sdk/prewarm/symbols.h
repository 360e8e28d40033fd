/* SPDX-License-Identifier: MIT */
/*
 * What of CPython is called, found at run time: one library serves every version, and is harmless in a program that is
 * none. All of it has been public or exported since 3.10; types are opaque here.
 */
#ifndef WARM_PREWARM_SYMBOLS_H
#define WARM_PREWARM_SYMBOLS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wchar.h>

struct py_status { /* PyStatus: the same in every version */
	int type;
	const char *func, *message;
	int exitcode;
};

/* PyConfig and PyPreConfig are shorter in every version, and nobody but CPython looks inside. */
#define PY_CONFIG_BYTES 8192

struct python_api {
	void (*PyPreConfig_InitPythonConfig)(void *config);
	struct py_status (*Py_PreInitializeFromBytesArgs)(const void *config, ssize_t argc, char **argv);
	void (*PyConfig_InitPythonConfig)(void *config);
	struct py_status (*PyConfig_SetBytesArgv)(void *config, ssize_t argc, char *const *argv);
	struct py_status (*PyConfig_SetString)(void *config, wchar_t **place, const wchar_t *text);
	struct py_status (*PyConfig_SetWideStringList)(void *config, void *place, ssize_t n, wchar_t **items);
	struct py_status (*PyConfig_Read)(void *config);
	void (*PyConfig_Clear)(void *config);
	struct py_status (*Py_InitializeFromConfig)(const void *config);
	int (*PyStatus_Exception)(struct py_status status);
	__attribute__((noreturn)) void (*Py_ExitStatusException)(struct py_status status);
	int (*Py_RunMain)(void);
	const void *(*_Py_GetConfig)(void);
	void (*Py_GetArgcArgv)(int *argc, wchar_t ***argv);
	int (*PySys_AddAuditHook)(int (*hook)(const char *event, void *args, void *data), void *data);
	wchar_t *(*Py_DecodeLocale)(const char *text, size_t *size);
	void (*PyMem_RawFree)(void *memory);
	void *(*PyEval_SaveThread)(void);
	void (*PyEval_RestoreThread)(void *state);
	void *(*PyEval_GetBuiltins)(void);
	void *(*PyRun_String)(const char *text, int start, void *globals, void *locals);
	void (*PyErr_Clear)(void);
	void (*Py_IncRef)(void *object);
	void (*Py_DecRef)(void *object);
	void *(*PyImport_ImportModule)(const char *name);
	void *(*PyObject_GetAttrString)(void *object, const char *name);
	void *(*PyObject_CallMethod)(void *object, const char *name, const char *format, ...);
	void *(*PyObject_CallFunction)(void *object, const char *format, ...);
	void *(*PyObject_CallObject)(void *object, void *args);
	void *(*PySys_GetObject)(const char *name);
	int (*PySys_SetObject)(const char *name, void *value);
	void *(*PyUnicode_FromWideChar)(const wchar_t *text, ssize_t len);
	const char *(*PyUnicode_AsUTF8)(void *object);
	void *(*PyBytes_FromStringAndSize)(const char *data, ssize_t len);
	int (*PyBytes_AsStringAndSize)(void *object, char **data, ssize_t *len);
	void *(*PyTuple_GetItem)(void *tuple, ssize_t at);
	void *(*PyList_New)(ssize_t n);
	ssize_t (*PyList_Size)(void *list);
	void *(*PyList_GetItem)(void *list, ssize_t at);
	int (*PyList_SetItem)(void *list, ssize_t at, void *item);
	void *(*PyDict_New)(void);
	void (*PyDict_Clear)(void *dict);
	int (*PyDict_SetItemString)(void *dict, const char *key, void *value);
	void *(*PyDict_GetItemString)(void *dict, const char *key);
	void *(*PyDict_SetDefault)(void *dict, void *key, void *value);
};

#define PY_FILE_INPUT 257

/* false: this process is no CPython, or one that lacks something. */
bool python_api_load(struct python_api *api);

/* The path of this library, as the dynamic linker was given it. */
bool own_library(char path[PATH_MAX]);

/* What any library of this process, or the program itself, has under this name, or NULL. */
void *any_symbol(const char *name);

/* Where a variable of CPython's is. NULL: there is none of this name, or nobody knows its size. */
void *symbol_area(const char *name, size_t *ret_size);

/* The variables, initialised or not, of the program or library that this function of CPython's is in. NULL: unknown. */
void *symbol_variables(const char *function, size_t *ret_size);

/* Reads from an address that may be any number. false: not all of it is memory. */
bool peek(uint64_t address, void *buf, size_t size);

/* The libc function that stands behind one of ours. */
void *next_symbol(const char *name);

#endif
