/* SPDX-License-Identifier: MIT */
/*
 * spawnbench: starts programs and times them, as small and quiet as the measured thing is short. bench/ drives it over
 * pipes, one request a line, one answer a line:
 *
 *     spawn TAB cwd TAB stdin TAB out TAB n TAB NAME=VALUE{n} TAB argv…      run a program
 *     quit
 *
 * cwd "" = this one's; stdin: a file, "" = /dev/null; out: a file that gets what the program printed, "" = nowhere;
 * n environment variables are set on top of this process's own. Answer, microseconds from posix_spawn(3):
 *
 *     first-byte last-byte reaped wait-status bytes        first-byte is 0 where the program printed nothing
 *
 * Standard output is a pipe, standard error the one of this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"

#define FIELDS_MAX 256
#define OUTPUT_MAX (1 << 20)

struct run {
	const char *cwd;
	const char *input;
	const char *output;
	char **argv;
	char **env;
};

struct times {
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t reaped_ns;
	int status;
	size_t bytes;
};

static char collected[OUTPUT_MAX];

static int parse(char *line, char **field, struct run *run);
static int measure(const struct run *run, struct times *ret);
static int start(const struct run *run, int out_fd, pid_t *ret_pid);
static int keep_output(const struct run *run, size_t bytes);
static uint64_t now_ns(void);

int main(void)
{
	static char *field[FIELDS_MAX + 1];
	CLEAN(free) char *line = NULL;
	size_t size = 0;
	ssize_t len;

	memset(collected, 1, sizeof(collected)); /* no page fault while a program is timed */
	while ((len = getline(&line, &size, stdin)) > 0) {
		struct run run = {0};
		struct times times = {0};
		int r;

		line[len - 1] = '\0';
		if (!strcmp(line, "quit"))
			return 0;
		r = parse(line, field, &run);
		if (r == 0)
			r = measure(&run, &times);
		free(run.env);
		if (r < 0) {
			fprintf(stderr, "spawnbench: %s: %s\n", run.argv ? run.argv[0] : line, strerror(-r));
			return 1;
		}
		printf("%.1f %.1f %.1f %d %zu\n", (double)times.first_ns / 1e3, (double)times.last_ns / 1e3,
		       (double)times.reaped_ns / 1e3, times.status, times.bytes);
		fflush(stdout);
	}
	return 0;
}

/* Cuts the line up in place. run->env is malloc'ed, everything else points into the line and `field`. */
static int parse(char *line, char **field, struct run *run)
{
	size_t n = 0, n_environ = 0, n_set;

	for (char *at = line; at && n < FIELDS_MAX;)
		field[n++] = strsep(&at, "\t");
	field[n] = NULL;
	if (n < 6 || strcmp(field[0], "spawn") != 0)
		return -EINVAL;
	n_set = strtoul(field[4], NULL, 10);
	if (n_set > n - 6)
		return -EINVAL;
	while (environ[n_environ])
		n_environ++;
	run->env = calloc(n_environ + n_set + 1, sizeof(*run->env));
	if (!run->env)
		return -ENOMEM;
	/* Of two with one name getenv(3) finds the first. */
	memcpy(run->env, field + 5, n_set * sizeof(*run->env));
	memcpy(run->env + n_set, environ, n_environ * sizeof(*run->env));
	run->cwd = field[1];
	run->input = *field[2] ? field[2] : "/dev/null";
	run->output = field[3];
	run->argv = field + 5 + n_set;
	return 0;
}

static int measure(const struct run *run, struct times *ret)
{
	int pipe_fd[2];
	uint64_t began;
	pid_t pid;
	ssize_t n;
	int r;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	CLEAN(fd) int read_fd = pipe_fd[0];

	began = now_ns();
	r = start(run, pipe_fd[1], &pid);
	close(pipe_fd[1]);
	if (r < 0)
		return r;
	while ((n = TEMP_FAILURE_RETRY(read(read_fd, collected + ret->bytes, OUTPUT_MAX - ret->bytes))) > 0) {
		ret->last_ns = now_ns() - began;
		if (!ret->bytes)
			ret->first_ns = ret->last_ns;
		ret->bytes += (size_t)n;
	}
	if (n < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &ret->status, 0)) < 0)
		return -errno;
	ret->reaped_ns = now_ns() - began;
	return keep_output(run, ret->bytes);
}

static int start(const struct run *run, int out_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 0, run->input, O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	if (r == 0 && *run->cwd)
		r = posix_spawn_file_actions_addchdir_np(&actions, run->cwd);
	if (r == 0)
		r = posix_spawn(ret_pid, run->argv[0], &actions, NULL, run->argv, run->env);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int keep_output(const struct run *run, size_t bytes)
{
	if (!*run->output)
		return 0;
	CLEAN(fd) int fd = open(run->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return write(fd, collected, bytes) == (ssize_t)bytes ? 0 : -EIO;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
