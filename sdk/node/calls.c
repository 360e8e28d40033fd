/* SPDX-License-Identifier: MIT */
#include "sdk/node/calls.h"

#include <stdint.h>
#include <unistd.h>

#include "sdk/node/streams.h"

napi_value call_open_streams(napi_env env, napi_callback_info info)
{
	struct uv_loop_s *loop = NULL;

	(void)info;
	if (napi_get_uv_event_loop(env, &loop) != napi_ok)
		return value_number(env, 7);
	return value_number(env, streams_open(loop));
}

napi_value call_leave(napi_env env, napi_callback_info info)
{
	napi_value status;
	size_t argc = 1;
	int32_t code = 125;

	napi_get_cb_info(env, info, &argc, &status, NULL, NULL);
	napi_get_value_int32(env, status, &code);
	_exit(code);
}
