/* SPDX-License-Identifier: MIT */
/*
 * The hook's messages of proto/rpc.proto, encoded and decoded by hand: libwarm needs libc only.
 * tests/unit/test_sdk_wire.c holds this against the generated codec.
 */
#ifndef WARM_SDK_WIRE_H
#define WARM_SDK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A datagram being written. Zero it to start; `data` is malloc'ed. After a failed allocation everything is ignored and
 * `failed` stays set: check it once, at the end. */
struct wire {
	uint8_t *data;
	size_t len;
	size_t size;
	bool failed;
};

void wire_fini(struct wire *wire);

/* RPC_MAGIC + Request{hello}. interpreter: one that stands before its program. */
void wire_put_hello(struct wire *wire, bool interpreter);

/* RPC_MAGIC + Request{ready}. env: NAME or PREFIX*. */
struct wire_ready {
	uint32_t hook_fd;
	bool argv_from_launch;
	uint32_t fixed_args;
	bool cwd_from_launch;
	char *const *env;
	size_t n_env;
	const char *sdk;
	bool interpreter;
	const char *note;    /* for the daemon's log, or NULL */
	const char *refused; /* why an interpreter cannot be snapshotted here: no answer comes. NULL: it can */
};
void wire_put_ready(struct wire *wire, const struct wire_ready *ready);

/* RPC_MAGIC + Request{depends} with as many of the paths, each with these suffixes, as fit into `max` bytes. Returns
 * how many it took; 0 if the first alone does not fit. */
size_t wire_put_depends(struct wire *wire, char *const *path, size_t n_path, char *const *suffix, size_t n_suffix,
                        size_t max);

/* enum Outcome of rpc.proto. */
enum hook_outcome {
	OUTCOME_COLD = 0,
	OUTCOME_RESUMED = 1,
	OUTCOME_RESTORED = 2,
	OUTCOME_PENDING = 3,
	OUTCOME_UNWANTED = 4 /* cold, and nothing has failed */
};

/* The answer to Hello or Ready. `argv` and `env` are NULL-terminated vectors, everything malloc'ed: hook_answer_fini().
 */
struct hook_answer {
	uint32_t outcome; /* enum hook_outcome */
	char *reason;     /* why cold; NULL: not said */
	uint64_t generation;
	char **argv;
	size_t argc;
	size_t fixed_args; /* this many of argv came before the program's own arguments; 0: not said */
	char **env;
	size_t n_env;
	char **env_change; /* NAME=VALUE, or NAME: it is gone. Variables that no key looks at */
	size_t n_env_change;
	char **preload; /* to an interpreter's Hello: modules to be loaded before the snapshot */
	size_t n_preload;
};

/* Reads RPC_MAGIC + Reply{hook}. Returns 0, -EBADMSG or -ENOMEM. */
int wire_get_answer(const uint8_t *data, size_t len, struct hook_answer *ret);
void hook_answer_fini(struct hook_answer *answer);

#endif
