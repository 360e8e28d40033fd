/* SPDX-License-Identifier: MIT */
/*
 * A launch as `warm exec` asked for it: the fixed header of proto/launch.h and the strings behind it, checked.
 */
#ifndef WARM_WARMD_REQUEST_H
#define WARM_WARMD_REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include "proto/launch.h"

struct err;

struct request {
	struct launch_request head;
	char *text; /* holds the strings; the request's own */
	const char *cmd, *cwd, *name, *ready;
	char **argv, **env;          /* into text, NULL at the end */
	int fds[LAUNCH_FDS_MAX + 3]; /* control, token, carrier, then head.fd_number[] */
	size_t n_fds;
};

#define REQUEST_CONTROL 0
#define REQUEST_TOKEN   1
#define REQUEST_CARRIER 2
#define REQUEST_FIRST   3 /* fds[REQUEST_FIRST + i] is the caller's descriptor head.fd_number[i] */

/* Takes the descriptors in any case, and fetches the program's out of the carrier. -EINVAL with the words where the
 * message is malformed, -ECANCELED where the launcher has given up and needs no answer. */
int request_parse(struct request *request, const void *msg, size_t len, const int *fds, size_t n_fds, struct err *err);
void request_fini(struct request *request);

/* The terminal among 0 1 2 (they are all the same one), or -1. */
int request_terminal(const struct request *request);

/* The caller's descriptor `number`, or -1 where it is closed. */
int request_fd(const struct request *request, int number);

#endif
