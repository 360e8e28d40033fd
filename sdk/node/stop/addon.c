/* SPDX-License-Identifier: MIT */
/*
 * The native part of stop.cjs: the words to warmd are libwarm's (sdk/c), what becomes of the process is the other
 * interpreters' (sdk/prewarm). Everything runs in the main thread, once.
 *
 *     forget(path) -> boolean
 *         a module of $NODE_OPTIONS
 *
 *     parse([argv]) -> {kind, program, execArgv, rest} | string
 *         a command line, our own without an argument; or what is wrong with it
 *
 *     optionsKnown(text) -> boolean
 *         what $NODE_OPTIONS says
 *
 *     wanted() -> [name] | undefined
 *         connects; does the daemon want a snapshot, and what is to be loaded first?
 *
 *     configFile() -> path | undefined
 *         of OpenSSL
 *
 *     look(before, uptime, origin) -> undefined | string
 *         what was not found in node
 *
 *     declare(paths, suffixes) -> boolean
 *         files that state came from
 *
 *     refuse(reason)
 *         there is to be no snapshot, and why
 *
 *     ask(note) -> {argv, elapsed} | undefined
 *         blocks; here a copy begins, and only that has an answer
 *
 *     close()
 *         the connection
 *
 *     watched() -> Uint32Array(1) | undefined
 *         not 0, but in a copy
 *
 *     reseed()
 *         Math.random() of this copy, in all threads
 *
 *     openStreams(), leave(status)
 *         sdk/node/calls.h
 *
 *     reseedsMathRandom: boolean
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/clean.h"
#include "base/fd.h"
#include "policy/node.h"
#include "sdk/c/ask.h"
#include "sdk/c/wire.h"
#include "sdk/node/calls.h"
#include "sdk/node/random.h"
#include "sdk/node/stop/start.h"
#include "sdk/node/streams.h"
#include "sdk/node/values.h"
#include "sdk/prewarm/process.h"

#define COMMAND_LINE_MAX (4u << 20)
#define FILES_MAX        (1u << 20) /* as many descriptors as node wants at most */

static struct {
	int connection;
	struct strings own; /* argv of this process */
	struct start start;
	struct proc_stat areas;
} stop = {.connection = -1};

/* Exported by a node that has OpenSSL inside and shows it. */
extern char *CONF_get1_default_config_file(void) __attribute__((weak));

/* ---- before the freeze ------------------------------------------------------------------------------------------- */

static napi_value forget(napi_env env, napi_callback_info info)
{
	napi_value value;
	size_t argc = 1;

	napi_get_cb_info(env, info, &argc, &value, NULL, NULL);
	CLEAN(free) char *path = value_get_string(env, value);

	return value_boolean(env, path && start_forget_module(path) == 0);
}

static int own_command_line(struct strings *ret)
{
	CLEAN(free) char *text = NULL;
	size_t len = 0;
	int r = fd_read_file_at(AT_FDCWD, "/proc/self/cmdline", COMMAND_LINE_MAX, &text, &len);

	if (r < 0)
		return r;
	ret->list = calloc(len + 1, sizeof(*ret->list));
	for (char *at = text; ret->list && at < text + len; at += strlen(at) + 1) {
		ret->list[ret->n] = strdup(at);
		if (!ret->list[ret->n++])
			return -ENOMEM;
	}
	return ret->n ? 0 : -ENODATA;
}

static napi_value make_line(napi_env env, const struct strings *argv)
{
	static const char *const kinds[] = {
	        [NODE_STDIN] = "stdin", [NODE_FILE] = "file", [NODE_EVAL] = "eval", [NODE_PRINT] = "print"};
	struct node_line line;
	napi_value object = NULL;
	const char *why;

	if (node_line_parse(argv->list, argv->n, &line, &why))
		return value_string(env, why);
	napi_create_object(env, &object);
	napi_set_named_property(env, object, "kind", value_string(env, kinds[line.kind]));
	napi_set_named_property(env, object, "program", value_string(env, line.program));
	napi_set_named_property(env, object, "execArgv", value_strings(env, argv->list + 1, line.n_options));
	napi_set_named_property(env, object, "rest", value_strings(env, argv->list + line.args, argv->n - line.args));
	return object;
}

static napi_value parse(napi_env env, napi_callback_info info)
{
	struct strings given = {0};
	napi_value value, ret;
	size_t argc = 1;
	int r;

	napi_get_cb_info(env, info, &argc, &value, NULL, NULL);
	if (argc == 0) {
		r = stop.own.n ? 0 : own_command_line(&stop.own);
		return r ? value_fail(env, "read the command line", r) : make_line(env, &stop.own);
	}
	r = value_get_strings(env, value, &given);
	ret = r < 0 || !given.n ? value_fail(env, "a command line", r < 0 ? r : -EINVAL) : make_line(env, &given);
	strings_fini(&given);
	return ret;
}

static napi_value watched(napi_env env, napi_callback_info info)
{
	uint32_t *word = random_watch();
	napi_value buffer, ret = NULL;

	(void)info;
	if (!word || !random_reaches_v8() ||
	    napi_create_external_arraybuffer(env, word, sizeof(*word), NULL, NULL, &buffer) != napi_ok ||
	    napi_create_typedarray(env, napi_uint32_array, 1, buffer, 0, &ret) != napi_ok)
		return NULL;
	return ret;
}

static napi_value reseed(napi_env env, napi_callback_info info)
{
	int r = random_reseed();

	(void)info;
	return r < 0 ? value_fail(env, "draw random numbers", r) : NULL;
}

static napi_value options_known(napi_env env, napi_callback_info info)
{
	napi_value value;
	size_t argc = 1;

	napi_get_cb_info(env, info, &argc, &value, NULL, NULL);
	CLEAN(free) char *text = value_get_string(env, value);

	return value_boolean(env, text && node_options_known(text));
}

static napi_value wanted(napi_env env, napi_callback_info info)
{
	struct hook_answer answer = {0};
	napi_value ret;

	(void)info;
	stop.connection = ask_interpreter(&answer);
	ret = stop.connection < 0 ? value_string(env, NULL) : value_strings(env, answer.preload, answer.n_preload);
	hook_answer_fini(&answer);
	return ret;
}

static napi_value config_file(napi_env env, napi_callback_info info)
{
	CLEAN(free) char *path = CONF_get1_default_config_file ? CONF_get1_default_config_file() : NULL;

	(void)info;
	return value_string(env, path);
}

static napi_value look(napi_env env, napi_callback_info info)
{
	struct start_seen seen = {0};
	napi_value argv[3];
	size_t argc = 3;
	struct node_line line;
	const char *why;
	bool lossless;

	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	napi_get_value_bigint_uint64(env, argv[0], &seen.before_ns, &lossless);
	napi_get_value_double(env, argv[1], &seen.uptime_s);
	napi_get_value_double(env, argv[2], &seen.origin_ms);
	if (process_look(&stop.areas))
		return value_string(env, "/proc");
	if (!stop.own.n || node_line_parse(stop.own.list, stop.own.n, &line, &why))
		return value_string(env, "the command line");
	return value_string(env, start_look(&stop.start, &seen, stop.own.list, stop.own.n, &line));
}

static napi_value declare(napi_env env, napi_callback_info info)
{
	struct strings path = {0}, suffix = {0};
	napi_value argv[2];
	size_t argc = 2;
	int r;

	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	r = value_get_strings(env, argv[0], &path);
	if (r == 0)
		r = value_get_strings(env, argv[1], &suffix);
	if (r == 0)
		r = ask_depends(stop.connection, path.list, path.n, suffix.list, suffix.n);
	strings_fini(&path);
	strings_fini(&suffix);
	return value_boolean(env, r == 0);
}

static napi_value refuse(napi_env env, napi_callback_info info)
{
	struct wire_ready ready = {.hook_fd = (uint32_t)stop.connection, .sdk = "node", .interpreter = true};
	struct wire wire = {0};
	napi_value value;
	size_t argc = 1;

	napi_get_cb_info(env, info, &argc, &value, NULL, NULL);
	CLEAN(free) char *why = value_get_string(env, value);

	ready.refused = why ? why : "out of memory";
	wire_put_ready(&wire, &ready);
	ask_send(stop.connection, &wire); /* where nobody hears it, nobody asks */
	return NULL;
}

/* ---- the copy ---------------------------------------------------------------------------------------------------- */

/* As node does it at its start: the soft limit becomes the hard one, or as much of it as there can be. */
static void raise_files_limit(void)
{
	struct rlimit limit;
	rlim_t low, high = FILES_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	low = limit.rlim_cur;
	if (limit.rlim_max != RLIM_INFINITY)
		low = high = limit.rlim_max;
	do {
		limit.rlim_cur = low + (high - low) / 2;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			high = limit.rlim_cur;
		else
			low = limit.rlim_cur;
	} while (low + 1 < high);
}

/* libuv keeps where the command line lies, for process.title. The strings lie behind each other at `first`. */
static int keep_title(char *first, size_t n)
{
	char **argv = calloc(n + 1, sizeof(*argv));

	if (!argv)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++, first += strlen(first) + 1)
		argv[i] = first;
	uv_setup_args((int)n, argv);
	free(argv); /* it has copied it */
	return 0;
}

static int become(const struct hook_answer *answer)
{
	char *none[] = {NULL}; /* node changes nothing in its environment */
	const struct env_changes changes = {.set = none, .gone = none};
	struct node_line line;
	char *first = NULL;
	const char *why;
	int r = answer->argc ? node_line_parse(answer->argv, answer->argc, &line, &why) : -EINVAL;

	if (r == 0)
		r = process_become(&stop.areas, answer->argv, answer->argc, answer->env, answer->n_env, &changes,
		                   &first);
	if (r == 0)
		r = keep_title(first, answer->argc);
	if (r == 0)
		r = start_set(&stop.start, answer->argv, answer->argc, &line);
	raise_files_limit();
	return r == 0 ? random_reseed() : r;
}

static napi_value ask(napi_env env, napi_callback_info info)
{
	struct wire_ready ready = {.hook_fd = (uint32_t)stop.connection, .sdk = "node", .interpreter = true};
	struct hook_answer answer = {0};
	napi_value note, ret;
	size_t argc = 1;
	int r;

	napi_get_cb_info(env, info, &argc, &note, NULL, NULL);
	CLEAN(free) char *text = value_get_string(env, note);

	ready.note = text ? text : "";
	fflush(NULL); /* of modules that use stdio */
	start_note_time(&stop.start);
	const uint64_t began = stop.start.steady_ns;

	r = ask_ready(stop.connection, &ready, &answer); /* here a copy begins */
	ret = value_string(env, NULL);
	if (r == 0 && answer.outcome == OUTCOME_RESTORED) {
		r = become(&answer);
		if (r == 0) {
			napi_create_object(env, &ret);
			napi_set_named_property(env, ret, "argv", value_strings(env, answer.argv, answer.argc));
			napi_set_named_property(env, ret, "elapsed",
			                        value_number(env, (double)(start_now_ns() - began) / 1e6));
		} else {
			ret = value_fail(env, "take the launch's command line and environment", r);
		}
	}
	hook_answer_fini(&answer);
	return ret;
}

static napi_value close_connection(napi_env env, napi_callback_info info)
{
	(void)env;
	(void)info;
	if (stop.connection >= 0)
		close(stop.connection);
	stop.connection = -1;
	return NULL;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

NAPI_MODULE_INIT()
{
	static const struct named_function functions[] = {{"forget", forget},
	                                                  {"parse", parse},
	                                                  {"optionsKnown", options_known},
	                                                  {"watched", watched},
	                                                  {"reseed", reseed},
	                                                  {"wanted", wanted},
	                                                  {"configFile", config_file},
	                                                  {"look", look},
	                                                  {"declare", declare},
	                                                  {"ask", ask},
	                                                  {"refuse", refuse},
	                                                  {"close", close_connection},
	                                                  {"openStreams", call_open_streams},
	                                                  {"leave", call_leave}};

	if (!random_add_world())
		return value_fail(env, "load warm", -ENOMEM);
	value_export(env, exports, functions, sizeof(functions) / sizeof(functions[0]));
	napi_set_named_property(env, exports, "reseedsMathRandom", value_boolean(env, random_reaches_v8()));
	return exports;
}
