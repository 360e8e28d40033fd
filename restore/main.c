/* SPDX-License-Identifier: MIT */
/* warm-restore: becomes the template of one image, or a loader that waits for one, or prints an image's plan. The
 * command line is in docs/ARCHITECTURE.md. */
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/err.h"
#include "proto/launch.h"
#include "restore/loader.h"
#include "restore/place.h"
#include "restore/restore.h"

/* On a duplicate: restore_run() moves the socket away. */
static void send_failure(int sock_fd, const struct err *err)
{
	struct report report = {.magic = REPORT_MAGIC, .kind = REPORT_FAILED, .op = -1, .err = err->code};

	snprintf(report.text, sizeof(report.text), "%s", err->msg);
	send(sock_fd, &report, sizeof(report), MSG_NOSIGNAL);
}

static int become_template(const struct restore_request *req, struct err *err)
{
	struct place place;
	int r = place_ask(&place, err);

	return r < 0 ? r : restore_run(req, &place, err);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"image", required_argument, NULL, 'i'},
	        {"sock", required_argument, NULL, 's'},
	        {"init", required_argument, NULL, 'n'},
	        {"label", required_argument, NULL, 'l'},
	        {"plan", no_argument, NULL, 'p'},
	        {"loader", no_argument, NULL, 'L'},
	        {"straight", no_argument, NULL, 't'},
	        {"paged", no_argument, NULL, 'P'},
	        {"huge", no_argument, NULL, 'H'},
	        {"plugins", required_argument, NULL, 'd'},
	        {"plugins-off", required_argument, NULL, 'x'},
	        {0},
	};
	struct restore_request req = {.image_fd = -1,
	                              .sock_fd = -1,
	                              .init_fd = -1,
	                              .go_fd = -1,
	                              .sup_fd = -1,
	                              .tty_fd = -1,
	                              .pager_fd = -1,
	                              .log_fd = -1,
	                              .label = "?"};
	struct err err = {0};
	bool plan_only = false, loader = false;
	int report_fd, opt, r;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'i':
			req.image_fd = atoi(optarg);
			break;
		case 's':
			req.sock_fd = atoi(optarg);
			break;
		case 'n':
			req.init_fd = atoi(optarg);
			break;
		case 'l':
			req.label = optarg;
			break;
		case 'd':
			req.plugins.dir = optarg;
			break;
		case 'x':
			req.plugins.off = optarg;
			break;
		case 'p':
			plan_only = true;
			break;
		case 'L':
			loader = true;
			break;
		case 't':
			req.straight = true;
			break;
		case 'P':
			req.paged = true;
			break;
		case 'H':
			req.huge = true;
			break;
		default:
			return 2;
		}
	if ((!loader && req.image_fd < 0) || (!plan_only && (req.sock_fd < 0 || req.init_fd < 0))) {
		fprintf(stderr, "usage: warm-restore [--huge] --image FD --sock FD --init FD [--label TEXT]\n"
		                "       warm-restore --loader --sock FD --init FD\n"
		                "       warm-restore --plan [--straight [--paged]] --image FD\n"
		                "       and [--plugins DIR] [--plugins-off NAME,...]\n");
		return 2;
	}
	report_fd = fcntl(req.sock_fd, F_DUPFD_CLOEXEC, 0);
	r = plan_only ? restore_print_plan(&req, &err) : loader ? loader_run(&req, &err) : become_template(&req, &err);
	if (r < 0) {
		fprintf(stderr, "warm-restore: %s\n", err.msg);
		if (report_fd >= 0)
			send_failure(report_fd, &err);
		return 1;
	}
	return 0;
}
