/* SPDX-License-Identifier: MIT */
/* One request to warmd and its whole answer (proto/rpc.proto). */
#ifndef WARM_CLI_RPC_H
#define WARM_CLI_RPC_H

#include "proto/rpc.pb-c.h"

struct err;

struct answer {
	Warm__Rpc__Reply **reply;
	size_t n;
};

/* 0, or -errno with the daemon's own words, or ours where it cannot be reached. What came before a failure is kept. */
int rpc_call(const char *socket, const Warm__Rpc__Request *request, struct answer *ret_answer, struct err *err);
void answer_fini(struct answer *answer);

#endif
