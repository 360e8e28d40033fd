/* SPDX-License-Identifier: MIT */
/* What both native parts, the hook's and the interpreter's (stop/), show to their JavaScript. Main thread only. */
#ifndef WARM_SDK_NODE_CALLS_H
#define WARM_SDK_NODE_CALLS_H

#include "sdk/node/values.h"

/* openStreams() -> bits: which of 0 1 2 are streams already (sdk/node/streams.h); all, where nobody can say. */
napi_value call_open_streams(napi_env env, napi_callback_info info);

/* leave(status): the end without node's way to it. A copy that could not become what was launched has nothing to clean
 * up. */
napi_value call_leave(napi_env env, napi_callback_info info);

#endif
