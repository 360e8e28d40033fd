/* SPDX-License-Identifier: MIT */
/*
 * What node noted at its start and keeps to itself: its command line, the state of 0, 1 and 2 (which it leaves as it
 * found them), and when that was. Looked for before the freeze, set right in a copy.
 */
#ifndef WARM_SDK_NODE_STOP_START_H
#define WARM_SDK_NODE_STOP_START_H

#include <stdint.h>

struct node_line;
struct node_stdio;

#define START_PLACES_MAX 16

struct start {
	struct node_stdio *stdio;           /* of 0, of 1 and of 2 */
	uint64_t *steady[START_PLACES_MAX]; /* when it started, in ns of CLOCK_MONOTONIC */
	unsigned n_steady;
	double *milestones;             /* when parts of it did, as performance.nodeTiming has it */
	double *wall[START_PLACES_MAX]; /* when it started, in us since 1970 */
	unsigned n_wall;
	struct cpp_vector *whole[START_PLACES_MAX]; /* the command line, */
	struct cpp_vector *argv[START_PLACES_MAX];  /* without node's options, */
	struct cpp_vector *exec[START_PLACES_MAX];  /* only these */
	unsigned n_whole, n_argv, n_exec;
	uint64_t steady_ns, wall_us; /* now: at the freeze */
};

struct start_seen {         /* as JavaScript sees it */
	uint64_t before_ns; /* CLOCK_MONOTONIC, */
	double uptime_s;    /* and then process.uptime() */
	double origin_ms;   /* performance.timeOrigin */
};

uint64_t start_now_ns(void);

/* Makes node forget a module that $NODE_OPTIONS wants to be loaded first, as its worker threads would load it too. 0,
 * or -ENOENT: it was not found. */
int start_forget_module(const char *path);

/* argv, line: of this process. NULL, or what was not found. */
const char *start_look(struct start *start, const struct start_seen *seen, char *const *argv, uint64_t n_argv,
                       const struct node_line *line);

/* Right before the freeze. */
void start_note_time(struct start *start);

/* In a copy. 0 or -errno. */
int start_set(struct start *start, char *const *argv, uint64_t n_argv, const struct node_line *line);

#endif
