/* SPDX-License-Identifier: MIT */
/*
 * The loop of warm-pager: takes requests, serves address spaces one fault after the other, forgets clones that are
 * over. It ends when nobody can send a request any more and no clone is left.
 */
#ifndef WARM_PAGER_SERVER_H
#define WARM_PAGER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pager/clone.h"
#include "pager/guardian.h"
#include "pager/image.h"
#include "pager/space.h"

struct err;

/* What is looked at again later: at this time (CLOCK_MONOTONIC, ns; 0: nothing is), then after twice as long. */
struct again {
	uint64_t at, wait;
};

struct server {
	int epoll_fd, requests_fd, report_fd;
	int requests_kind, guardian_kind; /* enum watched */
	bool requests_open, requests_paused;
	struct guardian guardian;
	struct images images;
	struct clone_list clones, orphans;
	struct waiting_list waiting;
	size_t n_clones, n_spaces, fds_max;
	struct again serve, reap, sweep;
};

/* cache_bytes: for decompressed blocks. fds_max: how many descriptors the process may have. */
int server_init(struct server *server, int requests_fd, int report_fd, uint64_t cache_bytes, size_t fds_max,
                struct err *err);

/* 0 when it is over, or why it cannot go on. */
int server_run(struct server *server, struct err *err);

#endif
