/* SPDX-License-Identifier: MIT */
/* The process that a plugin's code runs in. Private to plugins/. */
#ifndef WARM_PLUGINS_HOST_H
#define WARM_PLUGINS_HOST_H

#include <sys/types.h>

/* Loads the plugin of this name from an open file, answers what is asked on sock (plugins/wire.h), ends with it.
 * memory: the memfd for what is long. It ends with its parent. Called in a process that was forked for it. */
__attribute__((noreturn)) void host_run(int sock, int memory, int file, pid_t parent, const char *name);

#endif
