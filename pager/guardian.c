/* SPDX-License-Identifier: MIT */
#include "pager/guardian.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "pager/report.h"
#include "pager/space.h"
#include "proto/launch.h"
#include "proto/pager.h"

#define WAIT_MAX_MS 64
#define NUMBERS     512

struct takeover {
	const struct guardian *guardian;
	unsigned n_clones;
	int wait_ms;
};

/* Requests that nobody has read: from here on senders get EPIPE, and what lies there already is taken into the table,
 * where the descriptors are found like all others. */
static void take_requests(int requests_fd)
{
	char buf[PAGER_SIZE_MAX];
	int fds[PAGER_FDS_MAX];
	size_t n;
	ssize_t len;

	shutdown(requests_fd, SHUT_RD);
	do {
		n = PAGER_FDS_MAX;
		len = fd_recv(requests_fd, buf, sizeof(buf), fds, &n, MSG_DONTWAIT);
	} while (len > 0 || len == -EMSGSIZE);
}

/*
 * The first process may have been in the middle of anything: each descriptor is asked what it is. Many numbers by one
 * call, and without taking memory: it may be for want of it that the first process was killed.
 */
static void each_fd(struct takeover *takeover, void (*fn)(struct takeover *takeover, int fd))
{
	struct pollfd some[NUMBERS];
	struct rlimit limit = {0};
	int end;

	getrlimit(RLIMIT_NOFILE, &limit);
	end = (int)limit.rlim_cur;
	for (int from = STDERR_FILENO + 1; from < end; from += NUMBERS) {
		nfds_t n = end - from < NUMBERS ? (nfds_t)(end - from) : NUMBERS;

		for (nfds_t i = 0; i < n; i++)
			some[i] = (struct pollfd){.fd = from + (int)i};
		while (poll(some, n, 0) < 0)
			;
		for (nfds_t i = 0; i < n; i++)
			if (!(some[i].revents & POLLNVAL))
				fn(takeover, some[i].fd);
	}
}

static void end_clone(struct takeover *takeover, int fd)
{
	if (fd != takeover->guardian->requests_fd && fd != takeover->guardian->report_fd &&
	    fd_socket_option(fd, SO_DOMAIN) == AF_UNIX && shutdown(fd, SHUT_WR) == 0)
		takeover->n_clones++;
}

/* Nothing tells when an address space ends but asking. */
static void wait_for_end(struct takeover *takeover, int fd)
{
	while (space_probe(fd) == 0) {
		poll(NULL, 0, takeover->wait_ms);
		if (takeover->wait_ms < WAIT_MAX_MS)
			takeover->wait_ms *= 2;
	}
}

static void take_over(const struct guardian *guardian)
{
	struct takeover takeover = {.guardian = guardian, .wait_ms = 1};
	char text[128];

	take_requests(guardian->requests_fd);
	each_fd(&takeover, end_clone);
	if (takeover.n_clones > 0) {
		snprintf(text, sizeof(text),
		         "the pager has ended, it was killed perhaps: %u clone%s that it served end%s with it",
		         takeover.n_clones, takeover.n_clones == 1 ? "" : "s", takeover.n_clones == 1 ? "s" : "");
		report(guardian->report_fd, REPORT_FAILED, EOWNERDEAD, "", text);
	}
	each_fd(&takeover, wait_for_end);
}

static void guard(const struct guardian *guardian)
{
	struct pollfd served = {.fd = guardian->served_fd, .events = POLLIN};

	setsid();
	prctl(PR_SET_NAME, "warm-guardian");
	while (poll(&served, 1, -1) < 0 && errno == EINTR)
		;
	take_over(guardian);
	_exit(0);
}

int guardian_start(struct guardian *guardian, struct err *err)
{
	int pidfd = -1;
	long pid = syscall(SYS_clone, CLONE_FILES | CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, 0);

	if (pid < 0)
		return err_sys(err, errno, "start the guardian of the pager");
	if (pid == 0)
		guard(guardian);
	guardian->pid = (pid_t)pid;
	guardian->pidfd = pidfd;
	return 0;
}
