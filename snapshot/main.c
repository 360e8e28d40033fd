/* SPDX-License-Identifier: MIT */
/* warm-snap: takes one snapshot, compares one clone with its image (--trial), records a clone's working set
 * (--touched), or says which plugins there are (--check-plugins), and exits. The command line is in
 * docs/ARCHITECTURE.md; what it has to say goes to --report. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "snapshot/snapshot.h"
#include "snapshot/touched.h"
#include "snapshot/trial.h"

static int report_fd = -1;
static uint64_t stopped;

static void send_report(uint32_t kind, int32_t code, int64_t value, const char *text)
{
	struct report r = {.magic = REPORT_MAGIC, .kind = kind, .op = -1, .err = code, .value = value};

	snprintf(r.text, sizeof(r.text), "%s", text);
	if (report_fd >= 0)
		fd_send(report_fd, &r, sizeof(r), NULL, 0);
	else
		fprintf(stderr, "warm-snap: %s\n", text);
}

static void on_released(void *arg, uint64_t stopped_us)
{
	(void)arg;
	stopped = stopped_us;
	send_report(REPORT_RELEASED, 0, (int64_t)stopped_us, "released");
}

/* What the clone itself has said comes first: it names the operation that failed. */
static int run_trial(const struct trial_request *trial)
{
	struct report said = {0};
	struct err err = {0};
	int r = trial_run(trial, &said, &err);

	if (r == 0) {
		send_report(REPORT_DONE, 0, 0, "equal");
	} else if (said.kind == REPORT_FAILED && report_fd >= 0) {
		fd_send(report_fd, &said, sizeof(said), NULL, 0);
	} else {
		send_report(REPORT_FAILED, err.code, 0, err.msg);
	}
	return r < 0;
}

/* One report for each plugin: its name, file, and what it is good for or (err) what is wrong with it, between tabs;
 * value is its ABI. */
static void tell_plugin(void *arg, const struct plugin_told *plugin)
{
	const struct err *wrong = plugin->wrong;
	char text[sizeof(((struct report *)0)->text)];

	(void)arg;
	snprintf(text, sizeof(text), "%.32s\t%.100s\t%.104s", plugin->name, plugin->path,
	         wrong ? wrong->msg : plugin->words);
	send_report(REPORT_PROGRESS, wrong ? wrong->code : 0, plugin->abi, text);
}

static int check_plugins(const struct plugins_place *place)
{
	struct err err;

	if (plugins_check(place, tell_plugin, NULL, &err) < 0)
		send_report(REPORT_FAILED, err.code, 0, err.msg);
	else
		send_report(REPORT_DONE, 0, 0, "checked");
	return 0;
}

/* Says that the image is complete, and waits for warmd's word. Without one, the end of the connection, it runs on. */
static bool may_end(void *arg)
{
	struct report r = {0};
	ssize_t len;

	(void)arg;
	send_report(REPORT_CAPTURED, 0, 0, "captured");
	len = fd_recv(report_fd, &r, sizeof(r), NULL, NULL, 0);
	return len == sizeof(r) && r.magic == REPORT_MAGIC && r.kind == REPORT_DONE;
}

/* FD:DEV:INO, decimal */
static int parse_launch_fd(const char *text, struct launch_fd *fd)
{
	return sscanf(text, "%d:%" SCNu64 ":%" SCNu64, &fd->fd, &fd->dev, &fd->ino) == 3;
}

/* UID:GID:CAPS:GROUPS, the latter two in hexadecimal */
static int parse_owner(const char *text, struct launch_owner *owner)
{
	_Static_assert(DIGEST_HEX_SIZE == 33, "as wide as that");
	return sscanf(text, "%" SCNu32 ":%" SCNu32 ":%" SCNx64 ":%32s", &owner->uid, &owner->gid, &owner->caps,
	              owner->groups) == 4;
}

static enum snapshot_fork parse_fork(const char *text)
{
	return strcmp(text, "always") == 0 ? FORK_ALWAYS : strcmp(text, "no") == 0 ? FORK_NEVER : FORK_AUTO;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"pid", required_argument, NULL, 'p'},       {"hook-fd", required_argument, NULL, 'h'},
	        {"report", required_argument, NULL, 'r'},    {"meta", required_argument, NULL, 'm'},
	        {"summary", required_argument, NULL, 's'},   {"pages", required_argument, NULL, 'g'},
	        {"launch-fd", required_argument, NULL, 'l'}, {"owner", required_argument, NULL, 'o'},
	        {"pidfd", required_argument, NULL, 'f'},     {"program", required_argument, NULL, 'P'},
	        {"net-private", no_argument, NULL, 'n'},     {"random-kept", no_argument, NULL, 'k'},
	        {"notify", required_argument, NULL, 'N'},    {"touched", required_argument, NULL, 't'},
	        {"trial", required_argument, NULL, 'T'},     {"image", required_argument, NULL, 'i'},
	        {"label", required_argument, NULL, 'L'},     {"stdio", required_argument, NULL, 'S'},
	        {"plugins", required_argument, NULL, 'd'},   {"plugins-off", required_argument, NULL, 'x'},
	        {"check-plugins", no_argument, NULL, 'c'},   {"hold", no_argument, NULL, 'H'},
	        {"fork", required_argument, NULL, 'F'},      {0},
	};
	struct snapshot_request req = {
	        .pid = -1, .pidfd = -1, .hook_fd = -1, .meta_fd = -1, .summary_fd = -1, .pages_fd = -1};
	struct launch_fd launch_fd[LAUNCH_FDS_MAX];
	struct launch_owner owner;
	size_t n_launch_fds = 0, n_touched = 0;
	struct trial_request trial = {.go_fd = -1, .image_fd = -1, .label = "?"};
	int touched_fd = -1, check_only = 0;
	struct err err = {0};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int value = optarg ? atoi(optarg) : -1;

		switch (opt) {
		case 'p':
			req.pid = value;
			break;
		case 'f':
			req.pidfd = value;
			break;
		case 'P':
			req.program = optarg;
			break;
		case 'h':
			req.hook_fd = value;
			break;
		case 'r':
			report_fd = value;
			break;
		case 'm':
			req.meta_fd = value;
			break;
		case 's':
			req.summary_fd = value;
			break;
		case 'g':
			req.pages_fd = value;
			break;
		case 'n':
			req.net_private = true;
			break;
		case 'F':
			req.fork = parse_fork(optarg ? optarg : "");
			break;
		case 'k':
			req.random_kept = true;
			break;
		case 'N':
			req.notify = optarg;
			break;
		case 't':
			touched_fd = value;
			break;
		case 'T':
			trial.go_fd = value;
			break;
		case 'i':
			trial.image_fd = value;
			break;
		case 'L':
			trial.label = optarg;
			break;
		case 'S':
			if (sscanf(optarg, "%u,%u,%u", &trial.stdio_kind[0], &trial.stdio_kind[1],
			           &trial.stdio_kind[2]) != 3)
				return 2;
			break;
		case 'd':
			req.plugins.dir = optarg;
			break;
		case 'x':
			req.plugins.off = optarg;
			break;
		case 'c':
			check_only = 1;
			break;
		case 'l':
			if (n_launch_fds == LAUNCH_FDS_MAX || !parse_launch_fd(optarg, &launch_fd[n_launch_fds++]))
				return 2;
			break;
		case 'H':
			req.may_end = may_end;
			break;
		case 'o':
			if (!parse_owner(optarg, &owner))
				return 2;
			req.owner = &owner;
			break;
		default:
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	if (check_only)
		return check_plugins(&req.plugins);
	if (req.pid > 0 && trial.go_fd >= 0 && trial.image_fd >= 0) {
		trial.pid = req.pid;
		return run_trial(&trial);
	}
	if (req.pid > 0 && touched_fd >= 0) {
		if (touched_record(req.pid, report_fd, touched_fd, &n_touched, &err) < 0)
			send_report(REPORT_FAILED, err.code, 0, err.msg);
		else
			send_report(REPORT_DONE, 0, (int64_t)n_touched, "recorded");
		return 0;
	}
	if (req.pid <= 0 || req.meta_fd < 0 || req.summary_fd < 0 || req.pages_fd < 0) {
		fprintf(stderr,
		        "usage: warm-snap --pid PID [--pidfd FD] [--program HEX] [--hook-fd N] [--owner "
		        "UID:GID:CAPS:GROUPS] "
		        "[--net-private] [--random-kept] [--notify PATH] [--hold] "
		        "[--launch-fd "
		        "FD:DEV:INO]... [--report FD] "
		        "--meta FD --summary FD --pages FD\n"
		        "       warm-snap --pid PID --touched FD [--report FD]\n"
		        "       warm-snap --pid PID --trial FD --image FD --stdio K,K,K [--label TEXT] [--report "
		        "FD]\n"
		        "       warm-snap --check-plugins [--report FD]\n"
		        "       and [--plugins DIR] [--plugins-off NAME,...]\n");
		return 2;
	}
	req.launch_fd = launch_fd;
	req.n_launch_fds = n_launch_fds;
	if (snapshot_run(&req, on_released, NULL, &err) < 0) {
		send_report(REPORT_FAILED, err.code, 0, err.msg);
		return 1;
	}
	if (req.may_end)
		send_report(REPORT_DONE, 0, 0, "finished");
	else
		send_report(REPORT_CAPTURED, 0, (int64_t)stopped, "captured");
	return 0;
}
