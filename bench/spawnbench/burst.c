/* SPDX-License-Identifier: MIT */
#include "bench/spawnbench/burst.h"

#include "base/clean.h"
#include "bench/spawnbench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRINTED_MAX 16384

struct launch {
	pid_t pid; /* 0: could not be started, or is reaped */
	int out_fd;
	size_t n_printed;
	char printed[PRINTED_MAX];
};

static int launch_start(const struct program *program, struct launch *launch, int epoll_fd);
static void collect(struct launch *launches, size_t n, int epoll_fd, uint64_t began, struct burst *ret);
static bool launch_read(struct launch *launch);
static bool launch_is_right(struct launch *launch, const struct launch *model);

int burst_run(const struct program *program, size_t n, struct burst *ret)
{
	CLEAN(free) struct launch *launches = malloc(n * sizeof(*launches));
	CLEAN(fd) int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	size_t n_started = 0;
	uint64_t began;
	int r = 0;

	ret->last_ns = calloc(n, sizeof(*ret->last_ns));
	if (!launches || !ret->last_ns || epoll_fd < 0)
		return -ENOMEM;
	memset(launches, 0, n * sizeof(*launches)); /* no page fault while programs are timed */
	began = now_ns();
	for (; n_started < n && r == 0; n_started += r == 0)
		r = launch_start(program, &launches[n_started], epoll_fd);
	collect(launches, n_started, epoll_fd, began, ret);
	return r;
}

static int launch_start(const struct program *program, struct launch *launch, int epoll_fd)
{
	int pipe_fd[2], r;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = launch};

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	r = program_start(program, pipe_fd[1], &launch->pid);
	close(pipe_fd[1]);
	launch->out_fd = pipe_fd[0];
	if (r == 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, launch->out_fd, &event) == 0)
		return 0;
	r = r ? r : -errno;
	close(launch->out_fd);
	return r;
}

/* Waits for all of them. */
static void collect(struct launch *launches, size_t n, int epoll_fd, uint64_t began, struct burst *ret)
{
	const struct launch *model = NULL;

	for (size_t left = n; left;) {
		struct epoll_event event[64];
		int n_events = epoll_wait(epoll_fd, event, 64, -1);

		for (int i = 0; i < n_events; i++) {
			struct launch *launch = event[i].data.ptr;

			if (launch_read(launch)) {
				ret->last_ns[launch - launches] = now_ns() - began;
				continue;
			}
			close(launch->out_fd);
			left--;
			if (!launch_is_right(launch, model))
				ret->n_failed++;
			else if (!model)
				model = launch;
		}
	}
	ret->reaped_ns = now_ns() - began;
}

/* Returns false at its end. */
static bool launch_read(struct launch *launch)
{
	ssize_t n = TEMP_FAILURE_RETRY(
	        read(launch->out_fd, launch->printed + launch->n_printed, PRINTED_MAX - launch->n_printed));

	if (n <= 0)
		return false;
	launch->n_printed += (size_t)n;
	return true;
}

/* Reaps it. */
static bool launch_is_right(struct launch *launch, const struct launch *model)
{
	int status;

	if (TEMP_FAILURE_RETRY(waitpid(launch->pid, &status, 0)) < 0 || status != 0 || !launch->n_printed)
		return false;
	return !model ||
	       (model->n_printed == launch->n_printed && !memcmp(model->printed, launch->printed, launch->n_printed));
}
