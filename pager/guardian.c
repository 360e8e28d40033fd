/* SPDX-License-Identifier: MIT */
#include "pager/guardian.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

#define WAIT_MIN_MS 1
#define WAIT_MAX_MS 100

/* Requests that nobody has read: from here on senders get EPIPE, and what lies there already is taken into the table,
 * where the descriptors are found like all others. */
static void take_requests(int requests_fd)
{
	char buf[PAGER_SIZE_MAX];
	int fds[PAGER_N_FDS];
	size_t n;
	ssize_t len;

	shutdown(requests_fd, SHUT_RD);
	do {
		n = PAGER_N_FDS;
		len = fd_recv(requests_fd, buf, sizeof(buf), fds, &n, MSG_DONTWAIT);
	} while (len > 0 || len == -EMSGSIZE);
}

/* All that is open, by one call. */
static size_t list_fds(int **ret_fd)
{
	struct rlimit limit = {0};
	struct pollfd *all;
	size_t n = 0;
	int *fd;

	getrlimit(RLIMIT_NOFILE, &limit);
	all = calloc(limit.rlim_cur, sizeof(*all));
	fd = calloc(limit.rlim_cur, sizeof(*fd));
	if (!all || !fd)
		pause(); /* who waits for a page waits on, and nobody reads zeroes */
	for (size_t i = 0; i < limit.rlim_cur; i++)
		all[i] = (struct pollfd){.fd = (int)i};
	while (poll(all, limit.rlim_cur, 0) < 0)
		;
	for (size_t i = STDERR_FILENO + 1; i < limit.rlim_cur; i++)
		if (!(all[i].revents & POLLNVAL))
			fd[n++] = (int)i;
	free(all);
	*ret_fd = fd;
	return n;
}

/* The first process may have been in the middle of anything: each descriptor is asked what it is. */
static unsigned end_clones(const struct guardian *guardian, const int *fd, size_t n_fds)
{
	unsigned n = 0;

	for (size_t i = 0; i < n_fds; i++) {
		if (fd[i] != guardian->requests_fd && fd[i] != guardian->report_fd &&
		    fd_socket_option(fd[i], SO_DOMAIN) == AF_UNIX && shutdown(fd[i], SHUT_WR) == 0)
			n++;
	}
	return n;
}

/* Nothing tells when an address space ends but asking. */
static void wait_for_ends(const int *fd, size_t n_fds)
{
	int wait_ms = WAIT_MIN_MS;

	for (size_t i = 0; i < n_fds;) {
		if (space_probe(fd[i]) != 0) {
			i++;
			continue;
		}
		poll(NULL, 0, wait_ms);
		wait_ms = wait_ms * 2 < WAIT_MAX_MS ? wait_ms * 2 : WAIT_MAX_MS;
	}
}

static void take_over(const struct guardian *guardian)
{
	size_t n_fds;
	unsigned n;
	int *fd;

	take_requests(guardian->requests_fd);
	n_fds = list_fds(&fd);
	n = end_clones(guardian, fd, n_fds);
	if (n > 0) {
		char text[128];

		snprintf(text, sizeof(text),
		         "the pager has ended, it was killed perhaps: %u clone%s that it served end%s with it", n,
		         n == 1 ? "" : "s", n == 1 ? "s" : "");
		report(guardian->report_fd, REPORT_FAILED, EOWNERDEAD, "", text);
	}
	wait_for_ends(fd, n_fds);
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
