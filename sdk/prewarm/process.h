/* SPDX-License-Identifier: MIT */
/*
 * What a process takes from its launch as a whole: command line and environment, as the kernel shows them
 * (/proc/PID/cmdline, /proc/PID/environ, ps) and as libc has them. For any interpreter.
 */
#ifndef WARM_PREWARM_PROCESS_H
#define WARM_PREWARM_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include "base/proc.h"

/* What the interpreter itself has changed in its environment since its start: a copy changes it in the same way. */
struct env_changes {
	char **was;  /* the environment at the start */
	char **set;  /* NAME=VALUE, NULL at the end */
	char **gone; /* NAME */
};

/* Takes this library out of $LD_PRELOAD, which is not the program's. 0 or -errno. */
int process_leave_preload(const char *library);
/* That, and remembers what is left. 0 or -errno. */
int process_start(const char *library, struct env_changes *changes);
/* At the stop. 0 or -errno. */
int process_note_changes(struct env_changes *changes);

/* How many bytes this process has written so far, or -errno where the kernel does not count. */
int64_t process_written(void);

/* Where the areas of this process are, to be looked up before the freeze: PR_SET_MM_MAP wants them all. 0 or -errno. */
int process_look(struct proc_stat *ret);

/* In a copy: makes argv and env the process's. The strings are copied; environ points to the copies. 0 or -errno.
 * *ret_argv (may be NULL): the first of the arguments; the others lie behind it. */
int process_become(const struct proc_stat *areas, char *const *argv, size_t n_argv, char *const *env, size_t n_env,
                   const struct env_changes *changes, char **ret_argv);

#endif
