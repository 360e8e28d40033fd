/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/watch.h"

#include <stddef.h>
#include <string.h>

#include "sdk/prewarm/runtime.h"
#include "sdk/prewarm/symbols.h"
#include "sdk/prewarm/variables.h"

static const char text[] =
        "import posix\n"
        "seen = set()\n"
        "def noted(name):\n"
        "    method = getattr(dict, name)\n"
        "    def call(self, *words):\n"
        "        seen.add(words[0] if words else b'*')\n"
        "        return method(self, *words)\n"
        "    return call\n"
        "names = ('__getitem__', '__contains__', 'get', '__iter__', 'keys', 'values', 'items', 'copy')\n"
        "posix.environ = type('Noted', (dict,), {n: noted(n) for n in names})(posix.environ)\n";

static struct {
	const struct python_api *api;
	void *space; /* of the text's names; NULL: it has not run yet */
} watch;

static void watch_on(void)
{
	const struct python_api *api = watch.api;
	void *done;

	watch.space = api->PyDict_New(); /* first of all: what runs here imports, too */
	if (!watch.space || api->PyDict_SetItemString(watch.space, "__builtins__", api->PyEval_GetBuiltins()))
		return;
	done = api->PyRun_String(text, PY_FILE_INPUT, watch.space, watch.space);
	if (done)
		api->Py_DecRef(done);
	else
		api->PyErr_Clear();
	variables_watch(true);
}

static int see(const char *event, void *args, void *data)
{
	const char *name;

	(void)data;
	if (watch.space || strcmp(event, "import") != 0)
		return 0;
	name = watch.api->PyUnicode_AsUTF8(watch.api->PyTuple_GetItem(args, 0));
	if (name && strcmp(name, "os") == 0)
		watch_on();
	return 0;
}

void watch_begin(const struct python_api *api)
{
	watch.api = api;
	api->PySys_AddAuditHook(see, NULL);
}

void *watch_notes(void)
{
	if (!watch.space)
		watch_on();
	runtime_unhook(see);
	return watch.space ? watch.api->PyDict_GetItemString(watch.space, "seen") : NULL;
}
