/* SPDX-License-Identifier: MIT */
/*
 * warm-opened: records what first runs open for reading, until they are ready. warmd asks (struct opened_request, on
 * the report socket) and is answered by reports; it ends when warmd closes the socket. With --look it says which file
 * systems it watches otherwise than by handles, and which not at all, and ends.
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
	int r;

	runs_note_ended(recorder->runs);
	r = sight_read(recorder->sight, max, runs_see, recorder->runs);
	if (r == SIGHT_OVERFLOW)
		runs_lose(recorder->runs, "more files were opened at once than can be recorded");
	else if (r && r != -EAGAIN)
		runs_lose(recorder->runs, "the record of opened files broke off");
	else if (!r)
		runs_drop_ended(recorder->runs);
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
	const struct blind *blind;
	size_t n_blind;
	struct err err;
	int r = recorder->on ? 0 : sight_on(recorder->sight, &err);

	recorder->on = true;
	if (!r && runs_add(recorder->runs, request->run, request->pid))
		r = err_set(&err, ENOMEM, "out of memory");
	blind = sight_blind(recorder->sight, &n_blind);
	say(recorder, REPORT_WATCHING, request->run, r ? &err : NULL, n_blind ? blind[0].words : "");
	look_away(recorder);
}

static int add_unseen(Warm__Rpc__Opened *list, const struct blind *blind, struct err *err)
{
	Warm__Rpc__Unseen *unseen = malloc(sizeof(*unseen));

	if (!unseen)
		return err_set(err, ENOMEM, "out of memory");
	warm__rpc__unseen__init(unseen);
	unseen->mount_id = blind->mount_id;
	unseen->words = strdup(blind->words);
	list->unseen[list->n_unseen++] = unseen;
	return unseen->words ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int list_unseen(const struct sight *sight, Warm__Rpc__Opened *list, struct err *err)
{
	size_t n;
	const struct blind *blind = sight_blind(sight, &n);
	int r = 0;

	list->unseen = calloc(n + 1, sizeof(*list->unseen));
	if (!list->unseen)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; !r && i < n; i++)
		r = add_unseen(list, &blind[i], err);
	return r;
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
		r = list_unseen(recorder->sight, opened, &err);
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
	struct err err;

	sight_mounts_changed(recorder->sight);
	if (recorder->on && sight_on(recorder->sight, &err))
		runs_lose(recorder->runs, err.msg);
}

static void run(struct recorder *recorder)
{
	struct timespec now;
	int group[2];

	for (;;) {
		sight_fds(recorder->sight, group);
		struct pollfd fds[] = {{.fd = recorder->sock, .events = POLLIN},
		                       {.fd = sight_mounts_fd(recorder->sight), .events = POLLPRI},
		                       {.fd = group[0], .events = POLLIN},
		                       {.fd = group[1], .events = POLLIN},
		                       {.fd = runs_ended_fd(recorder->runs), .events = POLLIN}};

		if (poll(fds, 5, recorder->on ? TICK_MS : -1) < 0 && errno != EINTR)
			return;
		if (fds[2].revents || fds[3].revents || fds[4].revents)
			see(recorder, EVENTS_AT_ONCE);
		if (fds[1].revents & POLLPRI)
			mounts_changed(recorder);
		if (fds[0].revents && !serve(recorder))
			return;
		clock_gettime(CLOCK_MONOTONIC, &now);
		runs_expire(recorder->runs, (uint64_t)now.tv_sec);
		look_away(recorder);
	}
}

/* REPORT_PROGRESS each: of the root file system by descriptors err is 0, of what it cannot see EOPNOTSUPP. */
static int look(const struct recorder *recorder)
{
	const struct blind *blind;
	struct err err;
	size_t n;

	if (sight_on(recorder->sight, &err)) {
		say(recorder, REPORT_FAILED, 0, &err, "");
		return 1;
	}
	if (sight_root_by_descriptors(recorder->sight))
		say(recorder, REPORT_PROGRESS, 0, NULL, "/");
	blind = sight_blind(recorder->sight, &n);
	for (size_t i = 0; i < n; i++) {
		err_set(&err, EOPNOTSUPP, "%s", blind[i].words);
		say(recorder, REPORT_PROGRESS, 0, &err, "");
	}
	say(recorder, REPORT_DONE, 0, NULL, "");
	return 0;
}

int main(int argc, char **argv)
{
	struct recorder recorder = {0};
	bool only_look = argc == 4 && !strcmp(argv[3], "--look");
	struct err err;
	int r;

	if ((argc != 3 && !only_look) || strcmp(argv[1], "--report") != 0) {
		fprintf(stderr, "usage: warm-opened --report FD [--look] (it is started by warmd)\n");
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
	if (only_look)
		r = look(&recorder);
	else
		run(&recorder);
	runs_free(recorder.runs);
	sight_free(recorder.sight);
	return r;
}
