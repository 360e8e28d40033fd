/* SPDX-License-Identifier: MIT */
/*
 * A program to be started and timed: what a request of bench/ says of it, and how it is started. All times are
 * CLOCK_MONOTONIC; functions return 0 or -errno.
 */
#ifndef BENCH_SPAWNBENCH_PROGRAM_H
#define BENCH_SPAWNBENCH_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct program {
	const char *cwd;    /* "": this one's */
	const char *input;  /* the file that is its standard input */
	const char *output; /* "": nowhere; else the file that gets what it printed */
	uint16_t port; /* 0: it answers on standard output; else on this one of 127.0.0.1, once it has printed a byte */
	const char *path; /* what is asked for there */
	char **argv;
	char **env; /* malloc'ed; everything else points into the request */
};

/* field: cwd, input, output, port, path, n, NAME=VALUE{n}, argv…, NULL; n_field without the NULL. */
int program_parse(char **field, size_t n_field, struct program *ret);

/* Its standard output is out_fd, its standard error ours. */
int program_start(const struct program *program, int out_fd, pid_t *ret_pid);

uint64_t now_ns(void);

#endif
