/* SPDX-License-Identifier: MIT */
/*
 * Loaded into a Python that `warm exec` starts where no snapshot of it is there yet (LD_PRELOAD): stands in for main(),
 * does what that does up to the user's program, and takes the snapshot there. A copy gets another program, another
 * command line and environment, and goes on to Py_RunMain() like the original: from there on CPython runs alone. Where
 * the program has modules of its own in the place of those that were loaded, either executes the interpreter anew.
 *
 *     main:  connect, ask ──not wanted──► the real main()
 *              └─► initialise ─► load modules, declare files ─► ready ─┬─ original ─────────────► Py_RunMain()
 *                                                                      └─ copy ─► become ───────► Py_RunMain()
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "policy/python.h"
#include "sdk/c/ask.h"
#include "sdk/c/wire.h"
#include "sdk/prewarm/config.h"
#include "sdk/prewarm/importer.h"
#include "sdk/prewarm/process.h"
#include "sdk/prewarm/symbols.h"
#include "sdk/prewarm/variables.h"
#include "sdk/prewarm/watch.h"

#define EXPORT __attribute__((visibility("default")))

typedef int main_fn(int argc, char **argv, char **envp);
typedef int start_fn(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                     void (*rtld_fini)(void), void *stack_end);

/* sdk/prewarm/stop.py and the SDK's modules that it uses, as one text. */
extern const char _binary_stop_py_start[], _binary_stop_py_end[];

static struct {
	struct python_api api;
	main_fn *main;
	struct env_changes changes;
	struct proc_stat areas;
	struct program_fields fields;
	off_t stands[3]; /* standard streams: where in its file each stands; -1: in none */
	void *environ;   /* posix.environ, which os.environ looks into */
	void *after;     /* what stop.py wants to be called in a copy, or NULL */
	void *remember;  /* sdk/prewarm/importer.h; NULL: nobody knows what finds importers here */
} python;

static int run(int fd, struct hook_answer *wanted, int argc, char **argv);
static void initialise(int argc, char **argv);
static void stop(int fd, struct hook_answer *wanted, int argc, char **argv, int64_t written);
static bool prepare(int fd, struct hook_answer *wanted, char **ret_note);
static void become(struct hook_answer *answer);
static void go_on(char *const argv[], size_t argc, bool is_copy);
static bool set_environment(void);
static void follow_files(void);
static void give_up(const char *what) __attribute__((noreturn));

static int prewarm_main(int argc, char **argv, char **envp)
{
	struct hook_answer wanted = {0};
	char library[PATH_MAX];
	int fd;

	/* `#!/usr/bin/env python3`: in env, this waits for the next program. */
	if (!python_api_load(&python.api) || !own_library(library))
		return python.main(argc, argv, envp);
	if (process_start(library, &python.changes))
		return python.main(argc, argv, environ);
	fd = ask_interpreter(&wanted);
	if (fd >= 0)
		return run(fd, &wanted, argc, argv);
	return python.main(argc, argv, environ);
}

EXPORT int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                             void (*rtld_fini)(void), void *stack_end);

EXPORT int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                             void (*rtld_fini)(void), void *stack_end)
{
	start_fn *next = (start_fn *)next_symbol("__libc_start_main");

	python.main = main;
	return next(prewarm_main, argc, argv, init, fini, rtld_fini, stack_end);
}

static int run(int fd, struct hook_answer *wanted, int argc, char **argv)
{
	int64_t written = process_written();

	watch_begin(&python.api);
	initialise(argc, argv);
	stop(fd, wanted, argc, argv, written);
	return python.api.Py_RunMain();
}

/* As Py_BytesMain() does it. */
static void initialise(int argc, char **argv)
{
	const struct python_api *api = &python.api;
	void *config = calloc(1, PY_CONFIG_BYTES), *before = calloc(1, PY_CONFIG_BYTES);
	struct py_status status;

	if (!config || !before)
		exit(python.main(argc, argv, environ));
	api->PyPreConfig_InitPythonConfig(before);
	status = api->Py_PreInitializeFromBytesArgs(before, argc, argv);
	if (!api->PyStatus_Exception(status)) {
		api->PyConfig_InitPythonConfig(config);
		status = api->PyConfig_SetBytesArgv(config, argc, argv);
	}
	if (!api->PyStatus_Exception(status)) {
		status = api->Py_InitializeFromConfig(config);
		api->PyConfig_Clear(config);
	}
	free(config);
	free(before);
	if (api->PyStatus_Exception(status))
		api->Py_ExitStatusException(status);
}

/* A stream that begins with a mark of its byte order has decided at its start whether to write one. */
static bool encoding_has_state(void)
{
	const char *encoding = getenv("PYTHONIOENCODING");

	return encoding && (strstr(encoding, "16") || strstr(encoding, "32") || strstr(encoding, "sig"));
}

static void *get_environ(void)
{
	const struct python_api *api = &python.api;
	void *posix = api->PyImport_ImportModule("posix");
	void *environ = posix ? api->PyObject_GetAttrString(posix, "environ") : NULL;

	if (posix)
		api->Py_DecRef(posix);
	return environ;
}

/* Makes all ready. Returns NULL, or why there can be no copies. */
static const char *get_ready(int fd, struct hook_answer *wanted, int argc, char **argv, int64_t written,
                             char **ret_note)
{
	const struct python_api *api = &python.api;
	struct python_line line;
	const char *why;

	if (!prepare(fd, wanted, ret_note))
		return "what is loaded before programs failed";
	if (encoding_has_state())
		return "$PYTHONIOENCODING names an encoding that begins with a mark";
	if (python_line_parse(argv, (size_t)argc, &line, &why))
		return why;
	if (!program_fields_find(api, &line, (size_t)argc, &python.fields))
		return "the interpreter keeps its configuration in an unknown way";
	if (process_note_changes(&python.changes) || process_look(&python.areas))
		return "out of memory, or no /proc";
	python.environ = get_environ();
	if (!python.environ)
		return "the interpreter keeps its environment elsewhere";
	for (int i = 0; i < 3; i++)
		python.stands[i] = lseek(i, 0, SEEK_CUR);
	/* What has been printed so far would be missing from every copy. */
	if (written < 0 || process_written() != written)
		return "the interpreter writes something before its program";
	return NULL;
}

static void refuse(int fd, const char *why)
{
	const struct wire_ready ready = {.hook_fd = (uint32_t)fd, .sdk = "python", .interpreter = true, .refused = why};
	struct wire wire = {0};

	wire_put_ready(&wire, &ready);
	ask_send(fd, &wire); /* where nobody hears it, nobody asks */
}

/* Just before the user's program. */
static void stop(int fd, struct hook_answer *wanted, int argc, char **argv, int64_t written)
{
	const struct python_api *api = &python.api;
	CLEAN(free) char *note = NULL;
	struct hook_answer answer = {0};
	const char *why = get_ready(fd, wanted, argc, argv, written, &note);
	void *thread;
	int r;

	if (why) {
		refuse(fd, why);
		close(fd);
		api->PyErr_Clear();
		go_on(argv, (size_t)argc, false);
		return;
	}
	struct wire_ready ready = {.hook_fd = (uint32_t)fd, .sdk = "python", .interpreter = true, .note = note};

	ready.env = variables_noted(&ready.n_env);
	thread = api->PyEval_SaveThread();  /* modules that were loaded may have started some */
	r = ask_ready(fd, &ready, &answer); /* here a copy begins */
	close(fd);
	api->PyEval_RestoreThread(thread);
	if (r == 0 && answer.outcome == OUTCOME_RESTORED)
		become(&answer);
	else
		go_on(argv, (size_t)argc, false);
	hook_answer_fini(&answer);
}

/* Runs stop.py. Returns its names, or NULL. */
static void *run_text(struct hook_answer *wanted)
{
	const struct python_api *api = &python.api;
	size_t size = (uintptr_t)_binary_stop_py_end - (uintptr_t)_binary_stop_py_start;
	CLEAN(free) char *text = strndup(_binary_stop_py_start, size);
	void *names = api->PyList_New((ssize_t)wanted->n_preload), *space = api->PyDict_New(), *done;
	void *seen = watch_notes();
	bool ok = text && names && space && seen;

	for (size_t i = 0; ok && i < wanted->n_preload; i++) {
		wchar_t *wide = api->Py_DecodeLocale(wanted->preload[i], NULL);

		api->PyList_SetItem(names, (ssize_t)i, api->PyUnicode_FromWideChar(wide, -1));
		api->PyMem_RawFree(wide);
	}
	if (!ok || api->PyDict_SetItemString(space, "__builtins__", api->PyEval_GetBuiltins()) ||
	    api->PyDict_SetItemString(space, "names", names) || api->PyDict_SetItemString(space, "seen", seen))
		return NULL;
	done = api->PyRun_String(text, PY_FILE_INPUT, space, space);
	if (!done)
		return NULL;
	api->Py_DecRef(done);
	api->Py_DecRef(names);
	return space;
}

static bool send_datagrams(int fd, void *list)
{
	const struct python_api *api = &python.api;

	for (ssize_t i = 0; i < api->PyList_Size(list); i++) {
		struct wire wire = {0};
		char *data;
		ssize_t len;

		if (api->PyBytes_AsStringAndSize(api->PyList_GetItem(list, i), &data, &len))
			return false;
		wire.data = malloc((size_t)len);
		if (!wire.data)
			return false;
		memcpy(wire.data, data, (size_t)len);
		wire.len = (size_t)len;
		if (ask_send(fd, &wire))
			return false;
	}
	return true;
}

static bool note_variables(void *list)
{
	const struct python_api *api = &python.api;

	for (ssize_t i = 0; i < api->PyList_Size(list); i++) {
		char *name;
		ssize_t len;

		if (api->PyBytes_AsStringAndSize(api->PyList_GetItem(list, i), &name, &len))
			return false;
		variables_note(name);
	}
	return true;
}

/* Loads what is to be loaded and sends what all of it depends on. */
static bool prepare(int fd, struct hook_answer *wanted, char **ret_note)
{
	const struct python_api *api = &python.api;
	void *space = run_text(wanted);
	bool ok;

	variables_watch(false);
	ok = space && send_datagrams(fd, api->PyDict_GetItemString(space, "datagrams")) &&
	     note_variables(api->PyDict_GetItemString(space, "variables"));
	if (!ok)
		return false;
	*ret_note = strdup(api->PyUnicode_AsUTF8(api->PyDict_GetItemString(space, "note")));
	python.remember = api->PyDict_GetItemString(space, "remember");
	if (python.remember)
		api->Py_IncRef(python.remember);
	if (wanted->n_preload) {
		python.after = api->PyDict_GetItemString(space, "after");
	} else {
		api->PyDict_Clear(space); /* functions hold it, and it holds them */
		api->Py_DecRef(space);
	}
	return *ret_note;
}

/* ---- in a copy --------------------------------------------------------------------------------------------------- */

static void become(struct hook_answer *answer)
{
	const struct python_api *api = &python.api;
	struct python_line line;
	const char *why;

	if (!answer->argc || python_line_parse(answer->argv, answer->argc, &line, &why))
		give_up("understand the launch's command line");
	if (process_become(&python.areas, answer->argv, answer->argc, answer->env, answer->n_env, &python.changes,
	                   NULL) ||
	    !set_environment())
		give_up("take the launch's environment");
	if (!program_set(api, &python.fields, &line, answer->argv, answer->argc))
		give_up("take the launch's program");
	follow_files();
	if (python.remember && line.kind == PYTHON_FILE)
		importer_foresee(api, python.remember, program_file(api, &python.fields), line.program);
	go_on(answer->argv, answer->argc, true);
}

/* What is loaded before programs must look as if the program had loaded it: sdk/prewarm/stop.tail.py. */
static void go_on(char *const argv[], size_t argc, bool is_copy)
{
	const struct python_api *api = &python.api;
	struct python_line line;
	const char *why;
	void *file = NULL, *done;

	if (!python.after || python_line_parse(argv, argc, &line, &why))
		return;
	if (line.kind == PYTHON_FILE) {
		wchar_t *wide = api->Py_DecodeLocale(line.program, NULL);

		file = api->PyUnicode_FromWideChar(wide, -1);
		api->PyMem_RawFree(wide);
	}
	done = file ? api->PyObject_CallFunction(python.after, "iOi", is_copy, file, importer_is_script(line.program))
	            : api->PyObject_CallFunction(python.after, "izi", is_copy, NULL, 0);
	if (!done)
		give_up("go on with what is loaded before programs");
	api->Py_DecRef(done);
	if (file)
		api->Py_DecRef(file);
}

/* As the posix module fills it: of two of one name the first counts. */
static bool set_environment(void)
{
	const struct python_api *api = &python.api;

	api->PyDict_Clear(python.environ);
	for (char **at = environ; *at; at++) {
		const char *equals = strchr(*at, '=');
		void *name, *value;
		bool ok;

		if (!equals)
			continue;
		name = api->PyBytes_FromStringAndSize(*at, equals - *at);
		value = api->PyBytes_FromStringAndSize(equals + 1, (ssize_t)strlen(equals + 1));
		ok = name && value && api->PyDict_SetDefault(python.environ, name, value);
		if (!ok)
			return false;
		api->Py_DecRef(name);
		api->Py_DecRef(value);
	}
	return true;
}

/* A stream on a file remembers where it stood when it was opened. */
static void follow_files(void)
{
	static const char *const name[] = {"stdin", "stdout", "stderr"};
	const struct python_api *api = &python.api;

	for (int fd = 0; fd < 3; fd++) {
		void *stream = api->PySys_GetObject(name[fd]), *buffer, *moved;
		off_t at = lseek(fd, 0, SEEK_CUR);
		struct stat st;

		if (!stream || at < 0 || at == python.stands[fd] || fstat(fd, &st) || !S_ISREG(st.st_mode))
			continue;
		buffer = api->PyObject_GetAttrString(stream, "buffer");
		moved = buffer ? api->PyObject_CallMethod(buffer, "seek", "L", (long long)at) : NULL;
		if (!moved)
			give_up("find its place in a file");
		api->Py_DecRef(moved);
		api->Py_DecRef(buffer);
	}
}

/* Who cannot become what was launched must not go on. */
static void give_up(const char *what)
{
	fprintf(stderr, "warm: this process could not %s; `warm exec --cold` runs the program without a snapshot\n",
	        what);
	fflush(NULL);
	_exit(125);
}
