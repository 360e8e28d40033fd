/* SPDX-License-Identifier: MIT */
#include "warmd/worker.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/spawner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STILL_S     1.0
#define STILL_LOOKS 5 /* one each second */

struct worker {
	struct daemon *daemon;
	char name[16];
	worker_cb *cb;
	void *arg;
	int sock, pidfd;
	pid_t pid;
	bool finished; /* it has said its last word, or is gone */
	bool harmless; /* killed without further ado: it holds nobody's process */
	ev_io io;
	ev_timer timer, still;
	uint64_t waits;   /* it had waited so often when it was looked at last */
	unsigned n_still; /* looks in a row that found it where it had been */
};

static void worker_failed(struct worker *worker, int code, const char *what)
{
	struct report report = {.magic = REPORT_MAGIC, .kind = REPORT_FAILED, .op = -1, .err = code};

	ev_io_stop(worker->daemon->loop, &worker->io);
	worker_no_timeout(worker);
	snprintf(report.text, sizeof(report.text), "%s %s", worker->name, what);
	worker->cb(worker->arg, &report); /* may free the worker */
}

static void worker_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct worker *worker = io->data;
	struct report report;
	ssize_t len = fd_recv(worker->sock, &report, sizeof(report), NULL, NULL, MSG_DONTWAIT);

	(void)loop;
	(void)revents;
	if (len == -EAGAIN)
		return;
	if (len != sizeof(report) || report.magic != REPORT_MAGIC) {
		worker->finished = len == 0;
		worker_failed(worker, EPIPE, len == 0 ? "ended without a word" : "said what nobody understands");
		return;
	}
	report.text[sizeof(report.text) - 1] = '\0';
	if (report.kind == REPORT_FAILED)
		ev_io_stop(worker->daemon->loop, &worker->io);
	if (report.kind != REPORT_PROGRESS && report.kind != REPORT_TEMPLATE_READY && report.kind != REPORT_RELEASED &&
	    report.kind != REPORT_WATCHING && report.kind != REPORT_LISTED)
		worker->finished = true;
	worker->cb(worker->arg, &report);
}

/* warm-snap's own end does no harm to whom it holds, at whatever step it comes. */
static void worker_kill(const struct worker *worker)
{
	if (worker->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0);
}

static void worker_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	worker_kill(timer->data);
	worker_failed(timer->data, ETIMEDOUT, "took too long");
}

/*
 * Whoever works runs, wants to run, or has waited for something and gone on: copying many GiB, or reading them from
 * swap, is no standing still. Looks are counted, not seconds: this process may have been stopped itself.
 */
static void worker_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *worker = timer->data;
	CLEAN(fd) int dir = worker->pid > 0 ? proc_open(worker->pid) : -1;
	struct proc_status status = {0};
	char text[128];
	int r = dir < 0 ? dir : proc_status_read(dir, &status);

	(void)loop;
	(void)revents;
	proc_status_fini(&status);
	if (r < 0 || status.state == 'R' || status.waits != worker->waits) {
		worker->waits = status.waits;
		worker->n_still = 0;
		return;
	}
	if (++worker->n_still < STILL_LOOKS)
		return;
	worker_kill(worker);
	snprintf(text, sizeof(text), "%s for %d s and was killed, so that process runs on which it held: try again",
	         status.state == 'T' ? "was stopped" : "stood still", STILL_LOOKS);
	worker_failed(worker, ETIMEDOUT, text);
}

static void worker_started(void *arg, pid_t pid, int pidfd)
{
	struct worker *worker = arg;

	if (pid > 0) {
		worker->pid = pid;
		worker->pidfd = pidfd;
		ev_io_start(worker->daemon->loop, &worker->io); /* nobody is heard whose number is not known */
		return;
	}
	worker->finished = true;
	worker_failed(worker, -pid, "could not be started");
}

struct worker *worker_start(struct daemon *daemon, const struct worker_spec *spec, struct err *err)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int fds[WORKER_FDS_MAX], pair[2], r;

	if (!worker || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err_sys(err, errno, "start %s", spec->argv[0]);
		free(worker);
		return NULL;
	}
	for (size_t i = 0; i < spec->n_fds; i++)
		fds[i] = spec->fds[i] < 0 ? pair[1] : spec->fds[i];

	worker->daemon = daemon;
	worker->cb = spec->cb;
	worker->arg = spec->arg;
	worker->sock = pair[0];
	worker->pidfd = -1;
	/* warm-snap lets go by itself of whom it holds, and undoes what it can, where it finds nobody listening. */
	worker->harmless = (spec->program != SPAWN_SNAP || spec->stops_nobody) && !spec->outlives;
	snprintf(worker->name, sizeof(worker->name), "%s", spec->argv[0]);
	r = spawner_start(daemon->spawner, spec->program, spec->argv, fds, spec->n_fds, UINT32_MAX, worker_started,
	                  worker, err);
	close(pair[1]);
	if (r) {
		close(pair[0]);
		free(worker);
		return NULL;
	}
	ev_io_init(&worker->io, worker_read, worker->sock, EV_READ);
	worker->io.data = worker;
	ev_timer_init(&worker->timer, worker_late, spec->timeout_s, 0);
	worker->timer.data = worker;
	if (spec->timeout_s)
		ev_timer_start(daemon->loop, &worker->timer);
	ev_timer_init(&worker->still, worker_look, STILL_S, STILL_S);
	worker->still.data = worker;
	if (spec->must_move)
		ev_timer_start(daemon->loop, &worker->still);
	return worker;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	spawner_forget(worker->daemon->spawner, worker);
	ev_io_stop(worker->daemon->loop, &worker->io);
	worker_no_timeout(worker);
	if (!worker->finished && worker->harmless)
		worker_kill(worker);
	clean_fd(&worker->pidfd);
	close(worker->sock);
	free(worker);
}

int worker_sock(const struct worker *worker)
{
	return worker->sock;
}

pid_t worker_pid(const struct worker *worker)
{
	return worker->pid;
}

void worker_no_timeout(struct worker *worker)
{
	ev_timer_stop(worker->daemon->loop, &worker->timer);
	ev_timer_stop(worker->daemon->loop, &worker->still);
}

void worker_reason(const struct report *report, char *reason, size_t size)
{
	if (report->text[0])
		snprintf(reason, size, "%s", report->text);
	else if (report->op >= 0)
		snprintf(reason, size, "operation %d of the plan: %s", report->op, strerror(report->err));
	else
		snprintf(reason, size, "%s", strerror(report->err));
}
