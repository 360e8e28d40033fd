/* SPDX-License-Identifier: MIT */
/*
 * warm-pager: serves the page faults of clones that were restored lazily, from compressed images, one process for all
 * of them. It is asked by loaders (proto/pager.h), decides nothing, and depends on nobody but them and its clones: a
 * warmd that ends or starts again is nothing to it.
 *
 *     warm-pager --requests FD [--report FD] [--cache-bytes N]
 *
 * Two processes, which share their descriptors: this one, and the guardian (guardian.h). Neither opens a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "pager/guardian.h"
#include "pager/report.h"
#include "pager/server.h"
#include "proto/launch.h"
#include "warmd/confine.h"

#define CACHE_BYTES (16u << 20)
#define CACHE_MAX   (UINT64_C(1) << 40)
#define FDS_MAX     (1u << 20)

/* Each address space is a descriptor. */
static size_t raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max < FDS_MAX ? limit.rlim_max : FDS_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

/* It ends when nobody needs it; a signal that means "please end" is for who can decide that. */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

static int prepare(struct server *server, int requests_fd, int report_fd, uint64_t cache_bytes, struct err *err)
{
	int r;

	ignore_signals();
	if (report_fd >= 0 && fcntl(report_fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, errno, "report socket %d", report_fd);
	r = server_init(server, requests_fd, report_fd, cache_bytes, raise_limit(), err);
	if (r < 0)
		return r;
	server->guardian.served_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (server->guardian.served_fd < 0)
		return err_sys(err, errno, "pidfd of the pager");
	r = confine(CONFINED_PAGER, err);
	return r < 0 ? r : guardian_start(&server->guardian, err);
}

static bool number(const char *text, uint64_t most, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && errno == 0 && *ret <= most;
}

static int usage(void)
{
	fprintf(stderr, "usage: warm-pager --requests FD [--report FD] [--cache-bytes N] (it is started by warmd)\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"requests", required_argument, NULL, 'q'},
	        {"report", required_argument, NULL, 'r'},
	        {"cache-bytes", required_argument, NULL, 'c'},
	        {NULL, 0, NULL, 0},
	};
	uint64_t requests_fd = 0, report_fd = 0, cache_bytes = CACHE_BYTES;
	struct server server;
	struct err err = {0};
	bool known = true;
	int option, said, r;

	while (known && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
		known = option == 'q'   ? number(optarg, INT32_MAX, &requests_fd)
		        : option == 'r' ? number(optarg, INT32_MAX, &report_fd)
		        : option == 'c' ? number(optarg, CACHE_MAX, &cache_bytes)
		                        : false;
	if (!known || optind != argc || requests_fd <= STDERR_FILENO || (report_fd && report_fd <= STDERR_FILENO))
		return usage();
	said = report_fd ? (int)report_fd : -1;
	r = prepare(&server, (int)requests_fd, said, cache_bytes, &err);
	if (r == 0) {
		report(said, REPORT_PROGRESS, 0, "", "ready");
		r = server_run(&server, &err);
	}
	report(said, r < 0 ? REPORT_FAILED : REPORT_DONE, err.code, "", err.msg);
	if (said >= 0)
		close(said); /* the last word is said: nothing is left to be said by the guardian */
	return r < 0;
}
