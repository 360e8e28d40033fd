/* SPDX-License-Identifier: MIT */
#include "warmd/recording.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/log.h"
#include "warmd/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ANSWER_S 1.0   /* a launch, or a program in its hook, waits so long at most */
#define PAUSE_MS 60000 /* and the next ones do not wait for a worker that did not answer */
#define LIST_MAX (64u << 20)

enum state { RECORDING_ASKED, RECORDING_ON, RECORDING_LISTING, RECORDING_LISTED, RECORDING_LOST };

struct recorder {
	struct daemon *daemon;
	struct worker *worker; /* NULL: not started yet, or failed */
	uint64_t last;         /* number of a recording */
	uint64_t paused_until_ms;
	char failure[ERR_MSG_MAX]; /* of the worker, while paused */
	char blind[ERR_MSG_MAX];   /* what it cannot see, as it was logged */
	LIST_HEAD(, recording) list;
};

struct recording {
	LIST_ENTRY(recording) link;
	struct recorder *recorder;
	uint64_t number;
	enum state state;
	char lost[ERR_MSG_MAX];
	int list_fd;
	bool so_far; /* it goes on behind the list */
	recording_cb *cb;
	void *arg;
	ev_timer timer;
};

/* ---- moves ------------------------------------------------------------------------------------------------------- */

/* The recording may be gone on return. */
static void recording_move(struct recording *recording, enum state to)
{
	recording_cb *cb = recording->cb;

	ev_timer_stop(recording->recorder->daemon->loop, &recording->timer);
	recording->state = to;
	recording->cb = NULL;
	if (cb)
		cb(recording->arg);
}

static void recording_lose(struct recording *recording, const char *reason)
{
	if (recording->state == RECORDING_LISTED || recording->state == RECORDING_LOST)
		return;
	snprintf(recording->lost, sizeof(recording->lost), "%s", reason);
	recording_move(recording, RECORDING_LOST);
}

static void recorder_failed(struct recorder *recorder, const char *reason)
{
	struct recording *recording, *next;

	log_line("opened files are not recorded for a while: %s", reason);
	worker_free(recorder->worker);
	recorder->worker = NULL;
	snprintf(recorder->failure, sizeof(recorder->failure), "%s", reason);
	recorder->paused_until_ms = daemon_now_ms() + PAUSE_MS;
	/* Losing one may end another one: begin again each time. */
	do {
		for (recording = LIST_FIRST(&recorder->list); recording; recording = next) {
			next = LIST_NEXT(recording, link);
			if (recording->state < RECORDING_LISTED)
				break;
		}
		if (recording)
			recording_lose(recording, reason);
	} while (recording);
}

static void recording_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct recording *recording = timer->data;

	(void)loop;
	(void)revents;
	recorder_failed(recording->recorder, "warm-opened does not answer");
}

static void recording_limit(struct recording *recording)
{
	ev_timer_set(&recording->timer, ANSWER_S, 0);
	ev_timer_start(recording->recorder->daemon->loop, &recording->timer);
}

/* ---- the worker's word ------------------------------------------------------------------------------------------- */

static void note_blind(struct recorder *recorder, const char *blind)
{
	if (!blind[0] || !strcmp(recorder->blind, blind))
		return;
	snprintf(recorder->blind, sizeof(recorder->blind), "%s", blind);
	log_line("what programs open on %s is not seen: declare it (depends=, warm_depends)", blind);
}

static void recorder_report(void *arg, const struct report *report)
{
	struct recorder *recorder = arg;
	struct recording *recording;
	char reason[ERR_MSG_MAX];

	if (report->kind == REPORT_FAILED) {
		worker_reason(report, reason, sizeof(reason));
		recorder_failed(recorder, reason);
		return;
	}
	if (report->kind == REPORT_WATCHING && !report->err)
		note_blind(recorder, report->text);
	LIST_FOREACH(recording, &recorder->list, link)
	{
		if (recording->number == (uint64_t)report->value)
			break;
	}
	if (!recording)
		return;
	if (report->err)
		recording_lose(recording, report->text);
	else if (report->kind == REPORT_WATCHING && recording->state == RECORDING_ASKED)
		recording_move(recording, RECORDING_ON);
	else if (report->kind == REPORT_LISTED && recording->state == RECORDING_LISTING)
		recording_move(recording, RECORDING_LISTED);
}

static int recorder_start(struct recorder *recorder, struct err *err)
{
	const char *const argv[] = {"warm-opened", "--report", "3", NULL};
	const int fds[] = {-1};
	const struct worker_spec spec = {
	        .program = SPAWN_OPENED, .argv = argv, .fds = fds, .n_fds = 1, .cb = recorder_report, .arg = recorder};

	if (recorder->worker)
		return 0;
	if (daemon_now_ms() < recorder->paused_until_ms)
		return err_set(err, EAGAIN, "%s", recorder->failure);
	recorder->worker = worker_start(recorder->daemon, &spec, err);
	if (!recorder->worker)
		return -err->code;
	/* A worker that does not read must not hold up the loop. */
	fcntl(worker_sock(recorder->worker), F_SETFL, O_NONBLOCK);
	return 0;
}

static int recorder_ask(struct recorder *recorder, enum opened_kind kind, uint64_t number, pid_t pid, int fd)
{
	struct opened_request request = {.magic = OPENED_MAGIC, .kind = kind, .run = number, .pid = pid};

	return fd_send(worker_sock(recorder->worker), &request, sizeof(request), &fd, fd >= 0);
}

int recorder_new(struct daemon *daemon, struct recorder **ret, struct err *err)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return err_set(err, ENOMEM, "out of memory");
	recorder->daemon = daemon;
	*ret = recorder;
	return 0;
}

void recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return;
	worker_free(recorder->worker);
	free(recorder);
}

/* ---- recordings -------------------------------------------------------------------------------------------------- */

struct recording *recording_start(struct daemon *daemon, pid_t pid)
{
	struct recorder *recorder = daemon->recorder;
	struct recording *recording;
	struct err err;
	int r;

	if (!daemon->machine.records || !daemon->config.record_opened)
		return NULL;
	recording = calloc(1, sizeof(*recording));
	if (!recording)
		return NULL;
	recording->recorder = recorder;
	recording->number = ++recorder->last;
	recording->list_fd = -1;
	ev_init(&recording->timer, recording_late);
	recording->timer.data = recording;
	LIST_INSERT_HEAD(&recorder->list, recording, link);
	r = recorder_start(recorder, &err);
	if (!r) {
		r = recorder_ask(recorder, OPENED_WATCH, recording->number, pid, -1);
		if (r)
			err_sys(&err, -r, "ask warm-opened");
	}
	if (r)
		recording_lose(recording, err.msg);
	else
		recording_limit(recording);
	return recording;
}

void recording_free(struct recording *recording)
{
	struct recorder *recorder;

	if (!recording)
		return;
	recorder = recording->recorder;
	recording_lose(recording, "the program has ended");
	LIST_REMOVE(recording, link);
	if (recorder->worker)
		recorder_ask(recorder, OPENED_FORGET, recording->number, 0, -1);
	clean_fd(&recording->list_fd);
	free(recording);
}

void recording_wait(struct recording *recording, recording_cb *cb, void *arg)
{
	recording->cb = cb;
	recording->arg = arg;
	if (cb && recording->state != RECORDING_ASKED)
		recording_move(recording, recording->state);
}

void recording_list(struct recording *recording, bool so_far, recording_cb *cb, void *arg)
{
	struct recorder *recorder = recording->recorder;
	int r = 0;

	recording->cb = cb;
	recording->arg = arg;
	if (recording->state == RECORDING_LOST) {
		recording_move(recording, RECORDING_LOST);
		return;
	}
	recording->so_far = so_far;
	recording->list_fd = memfd_create("warm-opened", MFD_CLOEXEC);
	if (recording->list_fd < 0)
		r = -errno;
	recording->state = RECORDING_LISTING;
	if (!r)
		r = recorder_ask(recorder, so_far ? OPENED_SO_FAR : OPENED_LIST, recording->number, 0,
		                 recording->list_fd);
	if (r)
		recording_lose(recording, strerror(-r));
	else
		recording_limit(recording);
}

int recording_take(struct recording *recording, Warm__Rpc__Opened **ret, struct err *err)
{
	CLEAN(free) char *data = NULL;
	size_t len = 0;
	int r;

	if (recording->state != RECORDING_LISTED)
		return err_refuse(err, "start it once more", "what it opened is not known: %s", recording->lost);
	r = lseek(recording->list_fd, 0, SEEK_SET) ? -errno : fd_read_all(recording->list_fd, LIST_MAX, &data, &len);
	close(recording->list_fd);
	recording->list_fd = -1;
	if (recording->so_far)
		recording->state = RECORDING_ON;
	if (r)
		return err_sys(err, -r, "read the list of opened files");
	*ret = warm__rpc__opened__unpack(NULL, len, (uint8_t *)data);
	return *ret ? 0 : err_set(err, EBADMSG, "warm-opened wrote a list that nobody understands");
}
