/* SPDX-License-Identifier: MIT */
#include "sdk/node/stop/start.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "policy/node.h"
#include "sdk/node/stop/memory.h"

#define LONGEST_START_NS 600e9

/* As node.cc of node 20 has it. */
struct node_stdio {
	int flags;
	bool isatty;
	struct stat stat;
	struct termios termios;
};

/* The numbers behind performance.nodeTiming, in node 20's order: the start by both clocks, then other times; -1: it has
 * not come. */
enum milestone { MILESTONE_WALL_US, MILESTONE_STEADY_NS, MILESTONES = 8 };

/* ---- clocks ------------------------------------------------------------------------------------------------------ */

uint64_t start_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void start_note_time(struct start *start)
{
	start->steady_ns = start_now_ns();
	start->wall_us = wall_us();
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static void forget_module(void *arg, struct cpp_vector *vector)
{
	const char *path = arg;

	if (cpp_string_is(vector->begin, path))
		cpp_vector_drop_first(vector);
}

static void find_module(void *arg, struct cpp_vector *vector)
{
	const char **path = arg;

	if (*path && cpp_string_is(vector->begin, *path))
		*path = NULL;
}

int start_forget_module(const char *path)
{
	const char *left = path;
	struct memory memory;
	int r = memory_look(&memory);

	if (r == 0)
		memory_each_vector(&memory, find_module, &left);
	if (r == 0 && !left)
		memory_each_vector(&memory, forget_module, (void *)(uintptr_t)path);
	memory_fini(&memory);
	return r == 0 && left ? -ENOENT : r;
}

static bool is_stdio(const struct memory *memory, const struct node_stdio *at, const struct stat *now)
{
	if (!memory_has(memory, at, 3 * sizeof(*at)))
		return false;
	for (int fd = 0; fd < 3; fd++) {
		if (at[fd].stat.st_dev != now[fd].st_dev || at[fd].stat.st_ino != now[fd].st_ino ||
		    at[fd].stat.st_mode != now[fd].st_mode || at[fd].isatty != isatty(fd))
			return false;
	}
	return true;
}

static const char *look_stdio(struct start *start, const struct memory *memory)
{
	struct stat now[3];
	unsigned found = 0;

	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &now[fd]))
			return "a closed standard stream";
	}
	for (size_t i = 0; i < memory->n; i++) {
		for (uint64_t *at = memory->area[i].start; at < memory->area[i].end; at++) {
			struct node_stdio *stdio = (struct node_stdio *)(void *)at;

			if (is_stdio(memory, stdio, now)) {
				start->stdio = stdio;
				found++;
			}
		}
	}
	return found == 1 ? NULL : "its note of the standard streams";
}

static double as_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Numbers beside each other: the start by both clocks. */
static bool is_milestones(const struct memory *memory, const uint64_t *at, const struct start_seen *seen, uint64_t now)
{
	if (fabs(as_double(at[0]) - seen->origin_ms * 1e3) >= 2 || !memory_has(memory, at, MILESTONES * sizeof(*at)))
		return false;
	return as_double(at[1]) > (double)now - LONGEST_START_NS && as_double(at[1]) < (double)now;
}

static const char *look_milestones(struct start *start, const struct memory *memory, const struct start_seen *seen,
                                   uint64_t now)
{
	for (size_t i = 0; i < memory->n; i++) {
		for (uint64_t *at = memory->area[i].start; at < memory->area[i].end; at++) {
			if (!start->milestones && is_milestones(memory, at, seen, now))
				start->milestones = (double *)(void *)at;
			else if (as_double(*at) == seen->origin_ms * 1e3 && start->n_wall < START_PLACES_MAX)
				start->wall[start->n_wall++] = (double *)(void *)at;
		}
	}
	return start->milestones ? NULL : "its milestones";
}

/* The start of the process, and, some ms after it, of node: uptime() counts from there. */
static const char *look_clocks(struct start *start, const struct memory *memory, const struct start_seen *seen,
                               uint64_t now)
{
	const uint64_t origin = (uint64_t)start->milestones[MILESTONE_STEADY_NS];
	const uint64_t uptime = (uint64_t)(seen->uptime_s * 1e9);
	const uint64_t first = seen->before_ns - uptime - 1000, last = now - uptime + 1000;
	bool origin_found = false, uptime_found = false;

	for (size_t i = 0; i < memory->n; i++) {
		for (uint64_t *at = memory->area[i].start; at < memory->area[i].end; at++) {
			const bool is_origin = *at == origin, is_uptime = *at >= first && *at <= last;

			if ((is_origin || is_uptime) && start->n_steady < START_PLACES_MAX)
				start->steady[start->n_steady++] = at;
			origin_found |= is_origin;
			uptime_found |= is_uptime;
		}
	}
	return origin_found && uptime_found && start->n_steady < START_PLACES_MAX ? NULL : "the time of its start";
}

struct vectors {
	struct start *start;
	char *const *whole, *const *argv, *const *exec;
	size_t n_whole, n_argv, n_exec;
};

static void note_vector(void *arg, struct cpp_vector *vector)
{
	const struct vectors *want = arg;
	struct start *start = want->start;

	if (cpp_vector_is(vector, want->whole, want->n_whole) && start->n_whole < START_PLACES_MAX)
		start->whole[start->n_whole++] = vector;
	else if (cpp_vector_is(vector, want->argv, want->n_argv) && start->n_argv < START_PLACES_MAX)
		start->argv[start->n_argv++] = vector;
	else if (want->n_exec && cpp_vector_is(vector, want->exec, want->n_exec) && start->n_exec < START_PLACES_MAX)
		start->exec[start->n_exec++] = vector;
}

/* argv[0] and what is behind the options. NULL: no memory. */
static char **without_options(char *const *argv, size_t n_argv, const struct node_line *line, size_t *ret_n)
{
	char **list = calloc(n_argv + 1, sizeof(*list));

	if (!list)
		return NULL;
	list[0] = argv[0];
	*ret_n = 1 + n_argv - line->args;
	memcpy(list + 1, argv + line->args, (n_argv - line->args) * sizeof(*list));
	return list;
}

static const char *look_command_line(struct start *start, const struct memory *memory, char *const *argv, size_t n_argv,
                                     const struct node_line *line)
{
	struct vectors want = {
	        .start = start, .whole = argv, .n_whole = n_argv, .exec = argv + 1, .n_exec = line->n_options};
	CLEAN(free) char **list = without_options(argv, n_argv, line, &want.n_argv);

	want.argv = list;
	if (!list)
		return "memory";
	memory_each_vector(memory, note_vector, &want);
	return start->n_whole + start->n_argv ? NULL : "its command line";
}

const char *start_look(struct start *start, const struct start_seen *seen, char *const *argv, uint64_t n_argv,
                       const struct node_line *line)
{
	const uint64_t now = start_now_ns();
	struct memory memory;
	const char *missing = memory_look(&memory) ? "its heap" : look_stdio(start, &memory);

	if (!missing)
		missing = look_milestones(start, &memory, seen, now);
	if (!missing)
		missing = look_clocks(start, &memory, seen, now);
	if (!missing)
		missing = look_command_line(start, &memory, argv, n_argv, line);
	memory_fini(&memory);
	return missing;
}

/* ---- setting, in a copy ------------------------------------------------------------------------------------------ */

/* As node does it at its start. */
static int set_stdio(struct node_stdio *stdio)
{
	for (int fd = 0; fd < 3; fd++) {
		stdio[fd].flags = fcntl(fd, F_GETFL);
		if (stdio[fd].flags < 0 || fstat(fd, &stdio[fd].stat))
			return -errno;
		stdio[fd].isatty = isatty(fd);
		if (stdio[fd].isatty && tcgetattr(fd, &stdio[fd].termios))
			return -errno;
	}
	return 0;
}

/* The time between the freeze and now is none of the program's. */
static void shift_clocks(struct start *start)
{
	const uint64_t by_ns = start_now_ns() - start->steady_ns;
	const double by_us = (double)wall_us() - (double)start->wall_us;

	for (unsigned i = 0; i < start->n_steady; i++)
		*start->steady[i] += by_ns;
	for (unsigned i = 0; i < start->n_wall; i++)
		*start->wall[i] += by_us;
	start->milestones[MILESTONE_WALL_US] += by_us;
	for (int i = MILESTONE_STEADY_NS; i < MILESTONES; i++) {
		if (start->milestones[i] > 0)
			start->milestones[i] += (double)by_ns;
	}
}

static int set_vectors(struct cpp_vector **vector, unsigned n_vector, char *const *list, size_t n)
{
	for (unsigned i = 0; i < n_vector; i++) {
		int r = cpp_vector_set(vector[i], list, n);

		if (r < 0)
			return r;
	}
	return 0;
}

int start_set(struct start *start, char *const *argv, uint64_t n_argv, const struct node_line *line)
{
	size_t n_list = 0;
	CLEAN(free) char **list = without_options(argv, n_argv, line, &n_list);
	int r = list ? set_stdio(start->stdio) : -ENOMEM;

	shift_clocks(start);
	if (r == 0)
		r = set_vectors(start->whole, start->n_whole, argv, n_argv);
	if (r == 0)
		r = set_vectors(start->argv, start->n_argv, list, n_list);
	return r < 0 ? r : set_vectors(start->exec, start->n_exec, argv + 1, line->n_options);
}
