/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/symbols.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

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
	        OFFSET(Py_GetArgcArgv),
	        OFFSET(PySys_AddAuditHook),
	        OFFSET(Py_DecodeLocale),
	        OFFSET(PyMem_RawFree),
	        OFFSET(PyEval_SaveThread),
	        OFFSET(PyEval_RestoreThread),
	        OFFSET(PyEval_GetBuiltins),
	        OFFSET(PyRun_String),
	        OFFSET(PyErr_Clear),
	        OFFSET(Py_IncRef),
	        OFFSET(Py_DecRef),
	        OFFSET(PyImport_ImportModule),
	        OFFSET(PyObject_GetAttrString),
	        OFFSET(PyObject_CallMethod),
	        OFFSET(PyObject_CallFunction),
	        OFFSET(PyObject_CallObject),
	        OFFSET(PySys_GetObject),
	        OFFSET(PySys_SetObject),
	        OFFSET(PyUnicode_FromWideChar),
	        OFFSET(PyUnicode_AsUTF8),
	        OFFSET(PyBytes_FromStringAndSize),
	        OFFSET(PyBytes_AsStringAndSize),
	        OFFSET(PyTuple_GetItem),
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

void *symbol_area(const char *name, size_t *ret_size)
{
	void *found = dlsym(RTLD_DEFAULT, name);
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	if (!found || !dladdr1(found, &info, (void **)(void *)&symbol, RTLD_DL_SYMENT) || !symbol ||
	    info.dli_saddr != found)
		return NULL;
	*ret_size = symbol->st_size;
	return found;
}

struct search {
	uintptr_t address; /* in the object that is looked for */
	void *area;
	size_t size;
};

static int look_at_object(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *search = data;
	bool here = false;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD)
			continue;
		here |= search->address - (info->dlpi_addr + part->p_vaddr) < part->p_memsz;
		if (part->p_flags & PF_W) {
			search->area = (void *)(info->dlpi_addr + part->p_vaddr);
			search->size = part->p_memsz;
		}
	}
	return here;
}

void *symbol_variables(const char *function, size_t *ret_size)
{
	struct search search = {.address = (uintptr_t)dlsym(RTLD_DEFAULT, function)};

	if (!search.address || !dl_iterate_phdr(look_at_object, &search))
		return NULL;
	*ret_size = search.size;
	return search.area;
}

bool peek(uint64_t address, void *buf, size_t size)
{
	struct iovec local = {buf, size}, remote = {(void *)(uintptr_t)address, size};

	return address && process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size;
}

void *next_symbol(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}
