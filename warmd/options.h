/* SPDX-License-Identifier: MIT */
/*
 * The command line of warmd, and where things lie by default.
 */
#ifndef WARM_WARMD_OPTIONS_H
#define WARM_WARMD_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

struct err;

struct options {
	char root[PATH_MAX], socket[PATH_MAX], config[PATH_MAX];
	bool foreground, embedded;
	bool config_given;
	bool socket_default; /* it is the place where everybody looks */
	int spawn_fd;        /* -1: typed by a person; else the socket to warm-spawn */
	int ready_fd;        /* where to say that the daemon is ready, or why not; -1 */
	bool help, version;
};

/* Every path is absolute behind it. Returns 0, or -EINVAL with the words for a wrong use. */
int options_parse(struct options *options, int argc, char **argv, struct err *err);

void options_usage(void);

#endif
