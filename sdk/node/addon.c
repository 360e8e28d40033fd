/* SPDX-License-Identifier: MIT */
/*
 * The hook's native part: what JavaScript cannot do, or not fast enough for a launch. index.js is the flow; the words
 * to warmd are libwarm's (sdk/c). Everything here runs in the main thread but the loading, which each worker does.
 *
 *     wanted() -> boolean                       connects; does the daemon want a snapshot?
 *     declare(paths, suffixes) -> boolean       files that state came from
 *     ask({argv, fixedArgs, cwd, env}) -> {outcome, generation, elapsed, argv, fixedArgs}
 *                                               blocks; here a copy begins
 *     close()                                   the connection
 *     openStreams() -> bits                     which of 0 1 2 are streams already
 *     leave(status)                             the end of a copy that could not become the launch
 *     reseedsMathRandom: boolean
 *     copies: Uint32Array(1)                    moves in a copy, for the eyes of every thread
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "sdk/c/ask.h"
#include "sdk/c/launch.h"
#include "sdk/c/wire.h"
#include "sdk/node/calls.h"
#include "sdk/node/random.h"
#include "sdk/node/streams.h"
#include "sdk/node/values.h"

static int connection = -1; /* the process has one hook, and so one connection */

/* ---- the conversation -------------------------------------------------------------------------------------------- */

static napi_value wanted(napi_env env, napi_callback_info info)
{
	(void)info;
	connection = ask_wanted();
	return value_boolean(env, connection >= 0);
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
		r = ask_depends(connection, path.list, path.n, suffix.list, suffix.n);
	strings_fini(&path);
	strings_fini(&suffix);
	return value_boolean(env, r == 0);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* In a copy: what lies below JavaScript becomes the launch's. */
static int become_launch(const struct hook_answer *answer, const struct strings *names, unsigned nonblocking)
{
	int r = launch_environment(answer, names->list, names->n);

	launch_stdio();
	streams_take(nonblocking);
	return r == 0 ? random_reseed() : r;
}

static napi_value make_answer(napi_env env, const struct hook_answer *answer, double elapsed)
{
	napi_value object = NULL, generation = NULL;

	napi_create_object(env, &object);
	napi_create_bigint_uint64(env, answer->generation, &generation);
	napi_set_named_property(env, object, "outcome", value_number(env, answer->outcome));
	napi_set_named_property(env, object, "generation", generation);
	napi_set_named_property(env, object, "elapsed", value_number(env, elapsed));
	napi_set_named_property(env, object, "argv", value_strings(env, answer->argv, answer->argc));
	napi_set_named_property(env, object, "fixedArgs", value_number(env, (double)answer->fixed_args));
	return object;
}

static napi_value ask(napi_env env, napi_callback_info info)
{
	struct wire_ready ready = {.hook_fd = (uint32_t)connection, .sdk = "node 1"};
	struct hook_answer answer = {0};
	struct strings names = {0};
	napi_value options, ret;
	unsigned nonblocking = streams_nonblocking();
	size_t argc = 1;
	double began;
	int r;

	napi_get_cb_info(env, info, &argc, &options, NULL, NULL);
	napi_get_value_bool(env, value_property(env, options, "argv"), &ready.argv_from_launch);
	napi_get_value_bool(env, value_property(env, options, "cwd"), &ready.cwd_from_launch);
	napi_get_value_uint32(env, value_property(env, options, "fixedArgs"), &ready.fixed_args);
	r = value_get_strings(env, value_property(env, options, "env"), &names);
	if (r < 0) {
		strings_fini(&names);
		return value_fail(env, "names of environment variables", r);
	}
	ready.env = names.list;
	ready.n_env = names.n;
	fflush(NULL); /* of addons that use stdio */
	began = now_ms();
	r = ask_ready(connection, &ready, &answer); /* here the snapshot is taken, and here a copy begins */
	if (r < 0)
		answer.outcome = OUTCOME_COLD;
	r = answer.outcome == OUTCOME_RESTORED ? become_launch(&answer, &names, nonblocking) : 0;
	ret = r < 0 ? value_fail(env, "become the launch", r) : make_answer(env, &answer, now_ms() - began);
	hook_answer_fini(&answer);
	strings_fini(&names);
	return ret;
}

static napi_value close_connection(napi_env env, napi_callback_info info)
{
	(void)env;
	(void)info;
	if (connection >= 0)
		close(connection);
	connection = -1;
	return NULL;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static void forget(void *world)
{
	random_forget_world(world);
}

NAPI_MODULE_INIT()
{
	static const struct named_function functions[] = {{"wanted", wanted},
	                                                  {"declare", declare},
	                                                  {"ask", ask},
	                                                  {"close", close_connection},
	                                                  {"openStreams", call_open_streams},
	                                                  {"leave", call_leave}};
	struct world *world = random_add_world();
	napi_value buffer, copies;

	if (!world)
		return value_fail(env, "load warm", -ENOMEM);
	napi_add_env_cleanup_hook(env, forget, world);
	value_export(env, exports, functions, sizeof(functions) / sizeof(functions[0]));
	if (napi_create_external_arraybuffer(env, &random_copies, sizeof(random_copies), NULL, NULL, &buffer) !=
	            napi_ok ||
	    napi_create_typedarray(env, napi_uint32_array, 1, buffer, 0, &copies) != napi_ok)
		return value_fail(env, "load warm", -ENOTSUP);
	napi_set_named_property(env, exports, "copies", copies);
	napi_set_named_property(env, exports, "reseedsMathRandom", value_boolean(env, random_reaches_v8()));
	return exports;
}
