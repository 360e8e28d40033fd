/* SPDX-License-Identifier: MIT */
/* What a process executes: by that one is told from what it becomes by execve(2). */
#ifndef WARM_BASE_PROGRAM_H
#define WARM_BASE_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"

struct program {
	struct stat exe;
	char *cmdline, *environ; /* malloc'ed, as they are in the process's memory: strings back to back */
	size_t cmdline_len, environ_len;
};

/* dir_fd: /proc/PID. Returns 0 or -errno (-ENOENT: it has ended, or is the kernel's). *program is zeroes before. */
int program_read(int dir_fd, struct program *program);
void program_fini(struct program *program);

/* Equal where the executable's identity, the command line and the environment are. */
void program_digest(const struct program *program, char ret_hex[DIGEST_HEX_SIZE]);

/* The same of supplementary groups, in the order in which /proc/PID/status has them: sorted. */
void program_groups_digest(const uint32_t *groups, size_t n, char ret_hex[DIGEST_HEX_SIZE]);

#endif
