/* SPDX-License-Identifier: MIT */
/*
 * A launch from a terminal: the program runs in a session of its own on a fresh pty, and this relays between the two,
 * as `podman run -it` does. There is one such relay in a process.
 */
#ifndef WARM_CLI_TERMINAL_H
#define WARM_CLI_TERMINAL_H

struct exec_relay;

/* Is one of 0, 1, 2 a terminal? Then *ret_relay is ready for hot_exec(); otherwise it is NULL. 0 or -errno. */
int terminal_open(struct exec_relay **ret_relay);

#endif
