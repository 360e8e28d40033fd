/* SPDX-License-Identifier: MIT */
/*
 * warmd's end of the socket to warm-spawn: asks for workers, hands on the answers in their order.
 */
#ifndef WARM_WARMD_SPAWNER_H
#define WARM_WARMD_SPAWNER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "warmd/spawn/spawn.h"

struct daemon;
struct err;
struct spawner;

/* pid > 0 and a pidfd (or -1) that is the callee's now; or pid = -errno. */
typedef void spawner_cb(void *arg, pid_t pid, int pidfd);

int spawner_new(struct daemon *daemon, int sock, struct spawner **ret, struct err *err);
void spawner_free(struct spawner *spawner);

/* argv ends with NULL; fds become 3, 4, ... in the worker and stay the caller's. */
int spawner_start(struct spawner *spawner, enum spawn_program program, const char *const *argv, const int *fds,
                  size_t n_fds, uint32_t stdout_index, spawner_cb *cb, void *arg, struct err *err);

/* The answers that `arg` waits for will find nobody. */
void spawner_forget(struct spawner *spawner, const void *arg);

#endif
