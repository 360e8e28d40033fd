/* SPDX-License-Identifier: MIT */
#ifndef WARM_CLI_EXEC_H
#define WARM_CLI_EXEC_H

struct exec_options;

/* `warm exec` with everything that takes time. Does not return. */
void exec_run(struct exec_options *options) __attribute__((noreturn));

/* Starts a detached warmd for this user at that socket, and does not wait for it. 0 or -errno: it could not be started.
 */
int daemon_start(const char *socket_path);

#endif
