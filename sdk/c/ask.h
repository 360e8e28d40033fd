/* SPDX-License-Identifier: MIT */
/* What a hook says to warmd and hears, whatever the language of the program. In this order, on one connection. */
#ifndef WARM_SDK_ASK_H
#define WARM_SDK_ASK_H

#include <stddef.h>

struct hook_answer;
struct wire;
struct wire_ready;

/* Connects and asks, before anything is collected: does the daemon want a snapshot of this process? Returns the
 * connection, -ECANCELED where it does not, or another -errno. Waits 100 ms at most. */
int ask_wanted(void);

/* The same for an interpreter that stands before its program. *ret: what it is to load first (preload). */
int ask_interpreter(struct hook_answer *ret);

/* Declares files and directories (absolute paths, shorter than PATH_MAX) that state came from. `suffix`: of a directory
 * only names that end so count, sub-directories where "/" is among them; none: all. Returns 0 or -errno. */
int ask_depends(int fd, char *const *path, size_t n_path, char *const *suffix, size_t n_suffix);

/* Sends one datagram and frees it. Returns 0 or -errno. */
int ask_send(int fd, struct wire *wire);

/* Says ready and blocks in recv(2): here the snapshot is taken, and here a copy begins. ready->hook_fd is fd. Returns 0
 * or -errno, which means cold. */
int ask_ready(int fd, const struct wire_ready *ready, struct hook_answer *ret);

#endif
