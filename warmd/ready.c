/* SPDX-License-Identifier: MIT */
#include "warmd/ready.h"

#include "base/err.h"
#include "warmd/daemon.h"
#include "warmd/first_run.h"
#include "warmd/snap_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MIN_S 0.010
#define LOOK_MAX_S 0.500
#define LOOK_SHARE 32 /* a look comes after this part of the time that was waited already */

static int parse_seconds(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return end == text || *end || !(*ret >= 0 && *ret <= 1e9) ? -EINVAL : 0;
}

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	*ret = (uint16_t)port;
	return end == text || *end || !port || port > 65535 ? -EINVAL : 0;
}

int ready_parse(const char *how, struct ready *ret, struct err *err)
{
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (!*how || !strcmp(how, "sdk")) {
		ret->kind = READY_SDK;
	} else if (!strncmp(how, "after:", 6)) {
		ret->kind = READY_AFTER;
		r = parse_seconds(how + 6, &ret->seconds);
	} else if (!strncmp(how, "listen:", 7)) {
		ret->kind = READY_LISTEN;
		r = parse_port(how + 7, &ret->port);
	} else if (!strncmp(how, "stdout:", 7) && how[7]) {
		ret->kind = READY_STDOUT;
	} else {
		r = -EINVAL;
	}
	return r ? err_set(err, EINVAL, "--ready %.80s is not understood", how) : 0;
}

static bool is_executable(pid_t pid, struct ready *ready, bool note)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st))
		return false;
	if (note) {
		ready->exe_dev = st.st_dev;
		ready->exe_ino = st.st_ino;
	}
	return st.st_dev == ready->exe_dev && st.st_ino == ready->exe_ino;
}

static bool is_ready(struct first_run *run)
{
	struct ready *ready = &run->ready_when;

	/* Between our answer and its execve(2) the process is `warm`. */
	if (is_executable(run->pid, ready, false))
		return false;
	return ready->kind == READY_AFTER || ready_listens(run->pid, ready->port) > 0;
}

/*
 * The kernel has no event for "this process listens now" but for tracers, which would slow the program down: so it is
 * looked at, often when the program has just started, more and more seldom when it takes its time. The same looks wait
 * for the execve(2) of a program that is ready at once.
 */
static void look(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct first_run *run = timer->data;
	double next = (double)(daemon_now_ms() - run->ready_when.since_ms) / 1000 / LOOK_SHARE;

	(void)revents;
	if (is_ready(run)) {
		snap_job_found_ready(run); /* it may be gone now */
		return;
	}
	next = next < LOOK_MIN_S ? LOOK_MIN_S : next > LOOK_MAX_S ? LOOK_MAX_S : next;
	ev_timer_set(timer, next, 0);
	ev_timer_start(loop, timer);
}

void ready_watch(struct first_run *run)
{
	struct ready *ready = &run->ready_when;
	struct ev_loop *loop = run->daemon->loop;

	ready->since_ms = daemon_now_ms();
	is_executable(run->pid, ready, true);
	ev_timer_init(&ready->timer, look, ready->kind == READY_AFTER ? ready->seconds : LOOK_MIN_S, 0);
	ready->timer.data = run;
	if (ready->kind != READY_AFTER && ready->kind != READY_LISTEN)
		return;
	ev_now_update(loop);
	ev_timer_start(loop, &ready->timer);
}

void ready_unwatch(struct first_run *run)
{
	ev_timer_stop(run->daemon->loop, &run->ready_when.timer);
}
