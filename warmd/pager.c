/* SPDX-License-Identifier: MIT */
#include "warmd/pager.h"

#include "base/clean.h"
#include "base/err.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/log.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_S 2.0 /* before it is started again */

struct pager {
	struct daemon *daemon;
	struct worker *worker; /* NULL: it has ended, or could not be started */
	int requests_fd;
	bool ready;
	ev_timer start;
};

static void pager_stop(struct pager *pager)
{
	worker_free(pager->worker);
	pager->worker = NULL;
	clean_fd(&pager->requests_fd);
	pager->requests_fd = -1;
	pager->ready = false;
}

static void start_in(struct pager *pager, double seconds)
{
	ev_timer_stop(pager->daemon->loop, &pager->start);
	ev_timer_set(&pager->start, seconds, 0);
	ev_timer_start(pager->daemon->loop, &pager->start);
}

static void pager_report(void *arg, const struct report *report)
{
	struct pager *pager = arg;
	char reason[ERR_MSG_MAX];

	if (report->kind == REPORT_PROGRESS && !report->err) {
		pager->ready = true;
		return;
	}
	worker_reason(report, reason, sizeof(reason));
	log_line("pager: %s", reason);
	if (report->kind != REPORT_PROGRESS) {
		pager_stop(pager);
		start_in(pager, PAUSE_S);
	}
}

static int pager_start(struct pager *pager, struct err *err)
{
	static const char *const argv[] = {"warm-pager", "--requests", "3", "--report", "4", NULL};
	int pair[2], fds[2] = {-1, -1};
	const struct worker_spec spec = {.program = SPAWN_PAGER,
	                                 .argv = argv,
	                                 .fds = fds,
	                                 .n_fds = 2,
	                                 .outlives = true,
	                                 .cb = pager_report,
	                                 .arg = pager};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "start the pager");
	fds[0] = pair[1];
	pager->worker = worker_start(pager->daemon, &spec, err);
	close(pair[1]);
	if (!pager->worker) {
		close(pair[0]);
		return -err->code;
	}
	pager->requests_fd = pair[0];
	return 0;
}

static void pager_due(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct pager *pager = timer->data;
	struct err err;

	(void)loop;
	(void)revents;
	if (pager_start(pager, &err) < 0) {
		log_line("%s", err.msg);
		start_in(pager, PAUSE_S);
	}
}

struct pager *pager_new(struct daemon *daemon)
{
	struct pager *pager = calloc(1, sizeof(*pager));

	if (!pager)
		return NULL;
	pager->daemon = daemon;
	pager->requests_fd = -1;
	ev_timer_init(&pager->start, pager_due, 0, 0);
	pager->start.data = pager;
	if (daemon->machine.hot)
		start_in(pager, 0);
	return pager;
}

void pager_free(struct pager *pager)
{
	if (!pager)
		return;
	ev_timer_stop(pager->daemon->loop, &pager->start);
	pager_stop(pager);
	free(pager);
}

int pager_requests(const struct pager *pager)
{
	return pager->ready ? pager->requests_fd : -1;
}
