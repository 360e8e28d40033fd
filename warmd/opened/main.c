/* SPDX-License-Identifier: MIT */
/*
 * warm-opened: records what first runs open for reading, until they are ready. warmd asks (struct opened_request, on
 * the report socket) and is answered by reports; it ends when warmd closes the socket.
 */
#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "warmd/confine.h"
#include "warmd/opened/runs.h"
#include "warmd/opened/sight.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define EVENTS_AT_ONCE 4096
#define EVENTS_TO_LIST 262144 /* that may wait when a list is asked for */
#define TICK_MS        5000

struct recorder {
	int sock;
	struct sight *sight;
	struct runs *runs;
	bool on;
};

static void say(const struct recorder *recorder, uint32_t kind, uint64_t run, const struct err *err, const char *text)
{
	struct report report = {.magic = REPORT_MAGIC, .kind = kind, .op = -1, .value = (int64_t)run};

	report.err = err ? err->code : 0;
	snprintf(report.text, sizeof(report.text), "%s", err ? err->msg : text);
	fd_send(recorder->sock, &report, sizeof(report), NULL, 0);
}

static void see(struct recorder *recorder, unsigned max)
{
	int r = sight_read(recorder->sight, max, runs_see, recorder->runs);

	if (r == SIGHT_OVERFLOW)
		runs_lose(recorder->runs, "more files were opened at once than can be recorded");
	else if (r && r != -EAGAIN)
		runs_lose(recorder->runs, "the record of opened files broke off");
}

/* Watches while there is somebody to watch, and not a moment longer: everybody who opens files pays for it. */
static void look_away(struct recorder *recorder)
{
	if (!recorder->on || runs_any(recorder->runs))
		return;
	sight_off(recorder->sight);
	recorder->on = false;
	see(recorder, EVENTS_AT_ONCE);
}

static void watch(struct recorder *recorder, const struct opened_request *request)
{
	char blind[128] = "";
	struct err err;
	int r = 0;

	if (!recorder->on)
		r = sight_on(recorder->sight, blind, sizeof(blind), &err);
	recorder->on = true;
	if (!r && runs_add(recorder->runs, request->run, request->pid))
		r = err_set(&err, ENOMEM, "out of memory");
	say(recorder, REPORT_WATCHING, request->run, r ? &err : NULL, blind);
	look_away(recorder);
}

static int write_list(const Warm__Rpc__Opened *list, int fd, struct err *err)
{
	size_t len = warm__rpc__opened__get_packed_size(list);
	CLEAN(free) uint8_t *buf = malloc(len + 1);
	int r;

	if (!buf)
		return err_set(err, ENOMEM, "out of memory");
	warm__rpc__opened__pack(list, buf);
	r = fd_pwrite_full(fd, buf, len, 0);
	return r ? err_sys(err, -r, "write the list of opened files") : 0;
}

static void list(struct recorder *recorder, const struct opened_request *request, int fd)
{
	Warm__Rpc__Opened *opened = NULL;
	struct err err;
	int r;

	see(recorder, EVENTS_TO_LIST);
	r = fd < 0 ? err_set(&err, EBADF, "nowhere to write to")
	           : runs_list(recorder->runs, request->run, &opened, &err);
	if (!r)
		r = write_list(opened, fd, &err);
	if (opened)
		warm__rpc__opened__free_unpacked(opened, NULL);
	say(recorder, REPORT_LISTED, request->run, r ? &err : NULL, "");
	if (request->kind == OPENED_SO_FAR)
		return;
	runs_drop(recorder->runs, request->run);
	look_away(recorder);
}

/* false: warmd is gone. */
static bool serve(struct recorder *recorder)
{
	struct opened_request request;
	CLEAN(fd) int fd = -1;
	size_t n_fds = 1;
	ssize_t len = fd_recv(recorder->sock, &request, sizeof(request), &fd, &n_fds, MSG_DONTWAIT);

	if (len == -EAGAIN)
		return true;
	if (len != sizeof(request) || request.magic != OPENED_MAGIC)
		return false;
	if (request.kind == OPENED_WATCH) {
		watch(recorder, &request);
	} else if (request.kind == OPENED_LIST || request.kind == OPENED_SO_FAR) {
		list(recorder, &request, fd);
	} else {
		runs_drop(recorder->runs, request.run);
		look_away(recorder);
	}
	return true;
}

static void mounts_changed(struct recorder *recorder)
{
	char blind[128];
	struct err err;

	sight_mounts_changed(recorder->sight);
	if (recorder->on && sight_on(recorder->sight, blind, sizeof(blind), &err))
		runs_lose(recorder->runs, err.msg);
}

static void run(struct recorder *recorder)
{
	struct pollfd fds[] = {{.fd = recorder->sock, .events = POLLIN},
	                       {.fd = sight_fd(recorder->sight), .events = POLLIN},
	                       {.fd = sight_mounts_fd(recorder->sight), .events = POLLPRI}};
	struct timespec now;

	for (;;) {
		if (poll(fds, 3, recorder->on ? TICK_MS : -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			see(recorder, EVENTS_AT_ONCE);
		if (fds[2].revents & POLLPRI)
			mounts_changed(recorder);
		if (fds[0].revents && !serve(recorder))
			return;
		clock_gettime(CLOCK_MONOTONIC, &now);
		runs_expire(recorder->runs, (uint64_t)now.tv_sec);
		look_away(recorder);
	}
}

int main(int argc, char **argv)
{
	struct recorder recorder = {0};
	struct err err;
	int r;

	if (argc != 3 || strcmp(argv[1], "--report") != 0) {
		fprintf(stderr, "usage: warm-opened --report FD (it is started by warmd)\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	recorder.sock = atoi(argv[2]);
	setpriority(PRIO_PROCESS, 0, -10); /* the queue of events is not endless */
	r = sight_new(&recorder.sight, &err);
	if (!r)
		r = confine(CONFINED_OPENED, &err);
	recorder.runs = r ? NULL : runs_new(recorder.sight);
	if (!r && !recorder.runs)
		r = err_set(&err, ENOMEM, "out of memory");
	if (r) {
		say(&recorder, REPORT_FAILED, 0, &err, "");
		return 1;
	}
	run(&recorder);
	runs_free(recorder.runs);
	sight_free(recorder.sight);
	return 0;
}
