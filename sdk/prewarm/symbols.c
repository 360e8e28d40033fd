/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/symbols.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define OFFSET(name)                                                                                                   \
	{                                                                                                              \
#name, offsetof(struct python_api, name)                                                               \
	}

bool python_api_load(struct python_api *api)
{
	static const struct {
		const char *name;
		size_t offset;
	} symbol[] = {
	        OFFSET(PyPreConfig_InitPythonConfig),
	        OFFSET(Py_PreInitializeFromBytesArgs),
	        OFFSET(PyConfig_InitPythonConfig),
	        OFFSET(PyConfig_SetBytesArgv),
	        OFFSET(PyConfig_SetString),
	        OFFSET(PyConfig_SetWideStringList),
	        OFFSET(PyConfig_Read),
	        OFFSET(PyConfig_Clear),
	        OFFSET(Py_InitializeFromConfig),
	        OFFSET(PyStatus_Exception),
	        OFFSET(Py_ExitStatusException),
	        OFFSET(Py_RunMain),
	        OFFSET(_Py_GetConfig),
	        OFFSET(Py_DecodeLocale),
	        OFFSET(PyMem_RawFree),
	        OFFSET(PyEval_SaveThread),
	        OFFSET(PyEval_RestoreThread),
	        OFFSET(PyEval_GetBuiltins),
	        OFFSET(PyRun_String),
	        OFFSET(PyErr_Clear),
	        OFFSET(Py_DecRef),
	        OFFSET(PyImport_ImportModule),
	        OFFSET(PyObject_GetAttrString),
	        OFFSET(PyObject_CallMethod),
	        OFFSET(PyObject_CallFunction),
	        OFFSET(PySys_GetObject),
	        OFFSET(PySys_SetObject),
	        OFFSET(PyUnicode_FromWideChar),
	        OFFSET(PyUnicode_AsUTF8),
	        OFFSET(PyBytes_FromStringAndSize),
	        OFFSET(PyBytes_AsStringAndSize),
	        OFFSET(PyList_New),
	        OFFSET(PyList_Size),
	        OFFSET(PyList_GetItem),
	        OFFSET(PyList_SetItem),
	        OFFSET(PyDict_New),
	        OFFSET(PyDict_Clear),
	        OFFSET(PyDict_SetItemString),
	        OFFSET(PyDict_GetItemString),
	        OFFSET(PyDict_SetDefault),
	};

	for (size_t i = 0; i < sizeof(symbol) / sizeof(symbol[0]); i++) {
		void *found = dlsym(RTLD_DEFAULT, symbol[i].name);

		if (!found)
			return false;
		memcpy((char *)api + symbol[i].offset, &found, sizeof(found));
	}
	return true;
}

bool own_library(char path[PATH_MAX])
{
	static const char here;
	Dl_info info;

	return dladdr(&here, &info) && info.dli_fname &&
	       (size_t)snprintf(path, PATH_MAX, "%s", info.dli_fname) < PATH_MAX;
}

void *any_symbol(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

void *next_symbol(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}
