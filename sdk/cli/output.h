/* SPDX-License-Identifier: MIT */
/*
 * A program's standard output that is a pipe to us: what comes out of it goes to our own, as if the program wrote there
 * itself. There is one in a process.
 */
#ifndef WARM_CLI_OUTPUT_H
#define WARM_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct exec_output;

/* printed: is shown what is printed, before it is, until it returns false. *ret_fd: what the program is to have as its
 * standard output, close-on-exec. NULL: no descriptors or memory are left. */
struct exec_output *output_open(bool (*printed)(const char *bytes, size_t n), int *ret_fd);

#endif
