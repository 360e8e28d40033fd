/* SPDX-License-Identifier: MIT */
#include "warmd/standby.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/exec_job.h"
#include "warmd/loader.h"
#include "warmd/pool.h"
#include "warmd/template.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define PAGE               4096u
#define STANDBY_TIMEOUT_S  10.0
#define STANDBY_BASE_BYTES (512u << 10) /* page tables, stacks of the kernel, pages every standby writes to */

static void standby_failed(struct standby *standby, const struct report *report, bool supervisor)
{
	if (standby->job)
		exec_job_report(standby->job, report, supervisor);
	else
		pool_standby_failed(standby, report);
}

/* The callee may free the standby. */
static void standby_hear(struct standby *standby, const struct report *report, bool supervisor)
{
	if (standby->state == STANDBY_TAKEN) {
		exec_job_report(standby->job, report, supervisor);
		return;
	}
	if (report->kind == REPORT_STANDBY_PARKED && !supervisor) {
		standby->parked |= 1;
	} else if (report->kind == REPORT_SUP_PARKED && supervisor) {
		standby->parked |= 2;
	} else {
		standby_failed(standby, report, supervisor);
		return;
	}
	if (standby->parked == 3 && standby->state == STANDBY_MAKING) {
		ev_timer_stop(standby->loop, &standby->timer);
		standby->state = STANDBY_PARKED;
		if (standby->job)
			exec_job_parked(standby->job);
		else
			pool_standby_parked(standby);
	}
}

/* Whoever speaks on the GO socket is the application. */
static ssize_t standby_receive(struct standby *standby, int fd, struct report *report)
{
	pid_t pid;
	ssize_t len = fd_recv_pid(fd, report, sizeof(*report), &pid, MSG_DONTWAIT);

	/* A clone that ends without having read its hook's answer resets the connection: that is told once, and before
	 * what it had said. */
	if (len == -ECONNRESET)
		len = fd_recv_pid(fd, report, sizeof(*report), &pid, MSG_DONTWAIT);
	if (fd == standby->go_fd && pid > 0)
		standby->pid = pid;
	return len == sizeof(*report) && report->magic != REPORT_MAGIC ? -EPROTO : len;
}

static void standby_read(struct standby *standby, ev_io *io, bool supervisor)
{
	struct report report;
	ssize_t len = standby_receive(standby, io->fd, &report);

	if (len == -EAGAIN)
		return;
	if (len != sizeof(report)) {
		/* A clone that fails takes its supervisor along. Why it failed it has said before that, on its own
		 * socket; the end of this one is seen again, should anybody still listen. */
		if (supervisor && standby_receive(standby, standby->go_fd, &report) == sizeof(report)) {
			report.text[sizeof(report.text) - 1] = '\0';
			standby_hear(standby, &report, false);
			return;
		}
		report = (struct report){.magic = REPORT_MAGIC, .kind = REPORT_FAILED, .op = -1, .err = EPIPE};
		snprintf(report.text, sizeof(report.text), "%s of a clone ended before it ran",
		         supervisor ? "the supervisor" : "the application");
		ev_io_stop(standby->loop, io);
	}
	report.text[sizeof(report.text) - 1] = '\0';
	standby_hear(standby, &report, supervisor);
}

static void go_event(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	standby_read(io->data, io, false);
}

static void sup_event(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	standby_read(io->data, io, true);
}

static void standby_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct report report = {.magic = REPORT_MAGIC, .kind = REPORT_FAILED, .op = -1, .err = ETIMEDOUT};

	(void)loop;
	(void)revents;
	snprintf(report.text, sizeof(report.text), "a clone took longer than %.0f s to park", STANDBY_TIMEOUT_S);
	standby_failed(timer->data, &report, false);
}

struct sockets {
	int go[2], sup[2]; /* ours, and its */
};

static void sockets_close(struct sockets *sockets)
{
	for (int i = 0; i < 2; i++) {
		clean_fd(&sockets->go[i]);
		clean_fd(&sockets->sup[i]);
	}
}

static int sockets_open(struct sockets *sockets, struct err *err)
{
	int on = 1;

	*sockets = (struct sockets){{-1, -1}, {-1, -1}};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets->go) == 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets->sup) == 0 &&
	    setsockopt(sockets->go[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0)
		return 0;
	err_sys(err, errno, "make a standby");
	sockets_close(sockets);
	return -err->code;
}

/* Listens to what is being made behind the sockets, which are its own from here on. */
static struct standby *standby_new(struct entry *entry, struct sockets *sockets, const struct launch_traits *traits,
                                   struct err *err)
{
	struct standby *standby = calloc(1, sizeof(*standby));

	if (!standby) {
		err_set(err, ENOMEM, "out of memory");
		sockets_close(sockets);
		return NULL;
	}
	clean_fd(&sockets->go[1]);
	clean_fd(&sockets->sup[1]);
	standby->bytes = working_set_bytes(&entry->pool.working_set) + STANDBY_BASE_BYTES;
	standby->entry = entry;
	standby->loop = entry->daemon->loop;
	standby->go_fd = sockets->go[0];
	standby->sup_fd = sockets->sup[0];
	standby->started_ns = daemon_now_ns();
	standby->traits = *traits;
	ev_io_init(&standby->go_io, go_event, standby->go_fd, EV_READ);
	ev_io_init(&standby->sup_io, sup_event, standby->sup_fd, EV_READ);
	ev_timer_init(&standby->timer, standby_late, STANDBY_TIMEOUT_S, 0);
	standby->go_io.data = standby->sup_io.data = standby->timer.data = standby;
	ev_io_start(standby->loop, &standby->go_io);
	ev_io_start(standby->loop, &standby->sup_io);
	ev_timer_start(standby->loop, &standby->timer);
	return standby;
}

struct standby *standby_make(struct entry *entry, struct template *tmpl, int tty_fd, bool hurry, struct err *err)
{
	struct sockets sockets;
	int r = sockets_open(&sockets, err);

	if (r < 0)
		return NULL;
	r = template_make_standby(tmpl, sockets.go[1], sockets.sup[1], tty_fd, hurry);
	if (r < 0) {
		sockets_close(&sockets);
		err_sys(err, -r, "make a standby");
		return NULL;
	}
	return standby_new(entry, &sockets, template_traits(tmpl), err);
}

/* ---- from disk --------------------------------------------------------------------------------------------------- */

struct standby *standby_load(struct entry *entry, struct exec_job *job, struct loader *loader, int tty_fd,
                             struct err *err)
{
	struct standby *standby = NULL;
	struct sockets sockets;
	int theirs[2];

	if (sockets_open(&sockets, err) < 0) {
		loader_free(loader);
		return NULL;
	}
	theirs[0] = sockets.go[1];
	theirs[1] = sockets.sup[1];
	sockets.go[1] = sockets.sup[1] = -1;
	standby = standby_new(entry, &sockets, loader_traits(loader), err);
	if (standby) {
		standby->loader = loader;
		standby->job = job;
		if (loader_load(loader, entry, standby, theirs[0], theirs[1], tty_fd, err) < 0) {
			standby_free(standby);
			standby = NULL;
		}
	} else {
		loader_free(loader);
	}
	close(theirs[0]);
	close(theirs[1]);
	if (standby)
		standby->entry = NULL; /* it may go */
	return standby;
}

void standby_loaded(struct standby *standby, uint64_t placed_bytes)
{
	standby->placed_pages = (uint32_t)(placed_bytes / PAGE);
	standby->loader = NULL;
}

void standby_load_failed(struct standby *standby, const struct report *report)
{
	standby_failed(standby, report, false);
}

void standby_free(struct standby *standby)
{
	if (!standby)
		return;
	loader_free(standby->loader);
	ev_io_stop(standby->loop, &standby->go_io);
	ev_io_stop(standby->loop, &standby->sup_io);
	ev_timer_stop(standby->loop, &standby->timer);
	close(standby->go_fd);
	close(standby->sup_fd);
	free(standby);
}

void standby_take(struct standby *standby, struct exec_job *job)
{
	if (!standby->job)
		LIST_REMOVE(standby, link);
	standby->state = STANDBY_TAKEN;
	standby->entry = NULL;
	standby->job = job;
}

void standby_lend(struct standby *standby)
{
	ev_io_stop(standby->loop, &standby->go_io);
	ev_io_stop(standby->loop, &standby->sup_io);
}
