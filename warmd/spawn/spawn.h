/* SPDX-License-Identifier: MIT */
/*
 * What warmd asks of warm-spawn, its parent. SOCK_SEQPACKET, fixed layout, one request a datagram: a spawn_request,
 * behind it n_args NUL-terminated arguments (argv, the first one being the program's name). Descriptors: [0..n)
 * become 3.. in the worker. The program is found by `program` in warm-spawn's own directory: nothing else can be
 * started. Answer: one spawn_answer, with a pidfd of the worker where pid > 0.
 */
#ifndef WARM_SPAWN_H
#define WARM_SPAWN_H

#include <stdint.h>

#define SPAWN_MAGIC    0x504e5753u
#define SPAWN_ARGS_MAX 96

enum spawn_program { SPAWN_SNAP = 1, SPAWN_STORE = 2, SPAWN_RESTORE = 3, SPAWN_OPENED = 4, SPAWN_PAGER = 5 };

struct spawn_request {
	uint32_t magic;
	uint32_t program;
	uint32_t n_args;
	uint32_t stdout_fd; /* index among the descriptors that becomes standard output, or UINT32_MAX: /dev/null */
};

struct spawn_answer {
	uint32_t magic;
	int32_t pid; /* or -errno */
};

#endif
