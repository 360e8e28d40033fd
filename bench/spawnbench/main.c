/* SPDX-License-Identifier: MIT */
/*
 * spawnbench: starts programs and times them, as small and quiet as the measured thing is short. bench/ drives it over
 * pipes, one request a line, one answer a line; fields of a request are separated by tabs:
 *
 *     spawn PROGRAM            began-ns first-us last-us reaped-us wait-status bytes
 *     burst N PROGRAM          reaped-us n-failed last-us{N}         N launches at once
 *     rate SECONDS PROGRAM     took-us launches n-failed             one after another for so long
 *     ask PORT PATH            took-us bytes                         an HTTP server that runs
 *     quit
 *
 *     PROGRAM    cwd stdin out port path n NAME=VALUE{n} argv…
 *
 * cwd "" = this one's; stdin: a file, "" = /dev/null; out: a file that gets what the program printed, "" = nowhere; n
 * environment variables are set on top of this process's own. Times begin with posix_spawn(3): until the first byte on
 * its standard output (0 where it printed nothing), the last byte of its answer, and until it is reaped. The answer is
 * what it prints; where port is not 0, what it says to a request for path on that port, which is sent as soon as
 * the first byte is there. Standard output is a pipe, standard error the one of this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clean.h"
#include "bench/spawnbench/burst.h"
#include "bench/spawnbench/http.h"
#include "bench/spawnbench/program.h"

#define FIELDS_MAX 256
#define OUTPUT_MAX (1 << 20)

struct times {
	uint64_t began_ns;
	uint64_t first_ns, last_ns, reaped_ns; /* from began_ns */
	int status;
	size_t bytes;
};

static char printed[OUTPUT_MAX], answered[OUTPUT_MAX];

static int serve(char *line);
static int serve_program(char **field, size_t n_field);
static int serve_ask(const char *port, const char *path);
static int answer_spawn(const struct program *program);
static int answer_burst(const struct program *program, size_t n);
static int answer_rate(const struct program *program, double seconds);
static int measure(const struct program *program, struct times *ret);
static int read_output(const struct program *program, int read_fd, struct times *ret);
static int keep_output(const struct program *program, size_t bytes);

int main(void)
{
	CLEAN(free) char *line = NULL;
	struct rlimit files;
	size_t size = 0;
	ssize_t len;

	/* No page fault while a program is timed, and a pipe for each launch of a burst. */
	memset(printed, 1, sizeof(printed));
	memset(answered, 1, sizeof(answered));
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	while ((len = getline(&line, &size, stdin)) > 0) {
		int r;

		line[len - 1] = '\0';
		if (!strcmp(line, "quit"))
			return 0;
		r = serve(line);
		if (r < 0) {
			fprintf(stderr, "spawnbench: %s: %s\n", line, strerror(-r));
			return 1;
		}
		fflush(stdout);
	}
	return 0;
}

/* Cuts the line up in place. */
static int serve(char *line)
{
	static char *field[FIELDS_MAX + 1];
	size_t n = 0;

	for (char *at = line; at && n < FIELDS_MAX;)
		field[n++] = strsep(&at, "\t");
	field[n] = NULL;
	if (n == 3 && !strcmp(field[0], "ask"))
		return serve_ask(field[1], field[2]);
	return n > 1 ? serve_program(field, n) : -EINVAL;
}

static int serve_program(char **field, size_t n_field)
{
	bool spawn = !strcmp(field[0], "spawn");
	size_t skip = spawn ? 1 : 2;
	struct program program = {0};
	int r = program_parse(field + skip, n_field - skip, &program);

	if (r == 0 && spawn)
		r = answer_spawn(&program);
	else if (r == 0 && !strcmp(field[0], "burst"))
		r = answer_burst(&program, strtoul(field[1], NULL, 10));
	else if (r == 0 && !strcmp(field[0], "rate"))
		r = answer_rate(&program, strtod(field[1], NULL));
	else if (r == 0)
		r = -EINVAL;
	free(program.env);
	return r;
}

static int serve_ask(const char *port, const char *path)
{
	uint64_t began = now_ns();
	ptrdiff_t len = http_get((uint16_t)strtoul(port, NULL, 10), path, answered, OUTPUT_MAX);

	if (len < 0)
		return (int)len;
	printf("%.1f %td\n", (double)(now_ns() - began) / 1e3, len);
	return 0;
}

static int answer_spawn(const struct program *program)
{
	struct times times = {0};
	int r = measure(program, &times);

	if (r < 0)
		return r;
	printf("%llu %.1f %.1f %.1f %d %zu\n", (unsigned long long)times.began_ns, (double)times.first_ns / 1e3,
	       (double)times.last_ns / 1e3, (double)times.reaped_ns / 1e3, times.status, times.bytes);
	return 0;
}

static int answer_burst(const struct program *program, size_t n)
{
	struct burst burst = {0};
	int r = burst_run(program, n, &burst);

	if (r == 0) {
		printf("%.1f %zu", (double)burst.reaped_ns / 1e3, burst.n_failed);
		for (size_t i = 0; i < n; i++)
			printf(" %.1f", (double)burst.last_ns[i] / 1e3);
		printf("\n");
	}
	free(burst.last_ns);
	return r;
}

static int answer_rate(const struct program *program, double seconds)
{
	uint64_t began = now_ns(), until = began + (uint64_t)(seconds * 1e9);
	size_t n = 0, n_failed = 0;

	for (; now_ns() < until; n++) {
		struct times times = {0};
		int r = measure(program, &times);

		if (r < 0)
			return r;
		n_failed += times.status != 0 || !times.bytes;
	}
	printf("%.1f %zu %zu\n", (double)(now_ns() - began) / 1e3, n, n_failed);
	return 0;
}

static int measure(const struct program *program, struct times *ret)
{
	int pipe_fd[2];
	pid_t pid;
	int r;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	CLEAN(fd) int read_fd = pipe_fd[0];

	ret->began_ns = now_ns();
	r = program_start(program, pipe_fd[1], &pid);
	close(pipe_fd[1]);
	if (r < 0)
		return r;
	r = read_output(program, read_fd, ret);
	if (TEMP_FAILURE_RETRY(waitpid(pid, &ret->status, 0)) < 0)
		return -errno;
	ret->reaped_ns = now_ns() - ret->began_ns;
	return r == 0 ? keep_output(program, ret->bytes) : r;
}

static int read_output(const struct program *program, int read_fd, struct times *ret)
{
	ptrdiff_t answer = 0;
	ssize_t n;

	while ((n = TEMP_FAILURE_RETRY(read(read_fd, printed + ret->bytes, OUTPUT_MAX - ret->bytes))) > 0) {
		uint64_t now = now_ns() - ret->began_ns;

		if (!ret->first_ns) {
			ret->first_ns = now;
			if (program->port) {
				answer = http_get(program->port, program->path, answered, OUTPUT_MAX);
				now = now_ns() - ret->began_ns;
			}
		} else if (program->port) {
			now = ret->last_ns; /* what it prints is no part of its answer */
		}
		ret->last_ns = now;
		ret->bytes += (size_t)n;
	}
	if (answer < 0)
		return (int)answer;
	return n < 0 ? -errno : 0;
}

static int keep_output(const struct program *program, size_t bytes)
{
	if (!*program->output)
		return 0;
	CLEAN(fd) int fd = open(program->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return write(fd, printed, bytes) == (ssize_t)bytes ? 0 : -EIO;
}
