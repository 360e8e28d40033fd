/* SPDX-License-Identifier: MIT */
/*
 * `warm exec --ready HOW`: when the first run of a program that knows nothing of us is ready for its snapshot. What can
 * be seen from outside is watched here; the program notices none of it.
 */
#ifndef WARM_WARMD_READY_H
#define WARM_WARMD_READY_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct first_run;

enum ready_kind {
	READY_SDK,    /* it says so itself: the hook */
	READY_AFTER,  /* so long after its start */
	READY_LISTEN, /* once it listens on a TCP port */
	READY_STDOUT, /* once it prints a text: `warm exec` sees that (warmd/relayed.h) */
};

struct ready {
	enum ready_kind kind;
	double seconds;
	uint16_t port;
	uint64_t since_ms;         /* when the watch began */
	uint64_t exe_dev, exe_ino; /* of `warm` itself, which the process still is for a moment */
	ev_timer timer;
};

/* how: "" and "sdk", "after:SECONDS", "listen:PORT", "stdout:TEXT". 0, or -EINVAL with the words. */
int ready_parse(const char *how, struct ready *ret, struct err *err);

/* From the moment that its pid and pidfd are known. Calls snap_job_found_ready(run) from the loop, once, and then
 * watches no more. */
void ready_watch(struct first_run *run);
void ready_unwatch(struct first_run *run);

/* Whether the process has a TCP socket (IPv4 or IPv6) that listens on the port: 1, 0, or -errno. */
int ready_listens(pid_t pid, uint16_t port);

#endif
