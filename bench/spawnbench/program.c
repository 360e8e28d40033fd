/* SPDX-License-Identifier: MIT */
#include "bench/spawnbench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CWD, INPUT, OUTPUT, PORT, PATH, N_ENV, ENV };

int program_parse(char **field, size_t n_field, struct program *ret)
{
	size_t n_environ = 0, n_set;

	if (n_field <= ENV)
		return -EINVAL;
	n_set = strtoul(field[N_ENV], NULL, 10);
	if (n_set >= n_field - ENV)
		return -EINVAL;
	while (environ[n_environ])
		n_environ++;
	ret->env = calloc(n_environ + n_set + 1, sizeof(*ret->env));
	if (!ret->env)
		return -ENOMEM;
	/* Of two with one name getenv(3) finds the first. */
	memcpy(ret->env, field + ENV, n_set * sizeof(*ret->env));
	memcpy(ret->env + n_set, environ, n_environ * sizeof(*ret->env));
	ret->cwd = field[CWD];
	ret->input = *field[INPUT] ? field[INPUT] : "/dev/null";
	ret->output = field[OUTPUT];
	ret->port = (uint16_t)strtoul(field[PORT], NULL, 10);
	ret->path = field[PATH];
	ret->argv = field + ENV + n_set;
	return 0;
}

int program_start(const struct program *program, int out_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 0, program->input, O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	if (r == 0 && *program->cwd)
		r = posix_spawn_file_actions_addchdir_np(&actions, program->cwd);
	if (r == 0)
		r = posix_spawn(ret_pid, program->argv[0], &actions, NULL, program->argv, program->env);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
