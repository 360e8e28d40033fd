/* SPDX-License-Identifier: MIT */
#include "warmd/front.h"

#include "base/err.h"
#include "base/fd.h"
#include "warmd/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READY_FD 4 /* warm-spawn passes this one on */

static int own_path(char path[PATH_MAX], struct err *err)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (len < 0)
		return err_sys(err, errno, "find the own program");
	path[len] = '\0';
	return 0;
}

int front_program(const char *name, char path[PATH_MAX], struct err *err)
{
	char own[PATH_MAX];
	int r = own_path(own, err);

	if (r)
		return r;
	*strrchr(own, '/') = '\0';
	if (snprintf(path, PATH_MAX, "%s/%s", own, name) < PATH_MAX && !access(path, X_OK))
		return 0;
	if (snprintf(path, PATH_MAX, "%s/../libexec/warm/%s", own, name) < PATH_MAX && !access(path, X_OK))
		return 0;
	return err_set(err, ENOENT, "%s is missing beside %s/warmd and in ../libexec/warm: install Warm again", name,
	               own);
}

static int become_spawn(const struct options *options, int ready_fd, struct err *err)
{
	char self[PATH_MAX], spawn[PATH_MAX];
	const char *argv[16] = {"warm-spawn", self, "--root", options->root, "--socket", options->socket};
	int n = 6;

	if (own_path(self, err) || front_program("warm-spawn", spawn, err))
		return -err->code;
	if (options->config_given) {
		argv[n++] = "--config";
		argv[n++] = options->config;
	}
	if (options->foreground)
		argv[n++] = "--foreground";
	if (options->embedded)
		argv[n++] = "--embedded";
	if (ready_fd >= 0) {
		/* Where the pipe has that number already, dup2() would leave it close-on-exec. */
		if (ready_fd == READY_FD ? fcntl(ready_fd, F_SETFD, 0) : dup2(ready_fd, READY_FD) < 0)
			return err_sys(err, errno, "start warm-spawn");
		argv[n++] = "--ready-fd";
		argv[n++] = "4";
	} else {
		close(READY_FD);
	}
	execv(spawn, (char *const *)argv);
	return err_sys(err, errno, "start %s", spawn);
}

/* In the background: a session of its own, nothing of the terminal. */
static int child(const struct options *options, int ready_fd)
{
	int null = open("/dev/null", O_RDWR);
	struct err err;

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	become_spawn(options, ready_fd, &err);
	dprintf(ready_fd, "%s", err.msg);
	return 1;
}

/* Waits for the daemon's word: "" and end of file is none at all. */
static int wait_ready(int fd)
{
	char text[512];
	ssize_t len = fd_read_full(fd, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	if (!strcmp(text, "ready"))
		return 0;
	fprintf(stderr, "warmd: %s\n", *text ? text : "it ended before it was ready; `warmd --foreground` shows more");
	return 1;
}

int front_run(const struct options *options)
{
	struct err err;
	int pipe_fd[2];
	pid_t pid;

	if (options->foreground || options->embedded) {
		become_spawn(options, -1, &err);
		fprintf(stderr, "warmd: %s\n", err.msg);
		return 1;
	}
	if (pipe2(pipe_fd, O_CLOEXEC) || (pid = fork()) < 0) {
		fprintf(stderr, "warmd: go into the background: %s\n", strerror(errno));
		return 1;
	}
	if (pid == 0)
		return child(options, pipe_fd[1]);
	close(pipe_fd[1]);
	return wait_ready(pipe_fd[0]);
}
