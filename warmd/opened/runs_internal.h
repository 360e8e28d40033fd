/* SPDX-License-Identifier: MIT */
/* What the parts of the record share. Private to warmd/opened/. */
#ifndef WARM_OPENED_RUNS_INTERNAL_H
#define WARM_OPENED_RUNS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include "base/digest.h"
#include "proto/rpc.pb-c.h"

struct runs;

struct opened_file {
	struct digest object;
	bool read;
	bool closed;   /* it was open for writing */
	bool modified; /* by the run */
	bool own;      /* the run has changed it, or something about it */
	bool foreign;  /* somebody else has, after the run had met it */
	bool replaced; /* by the time its name was looked up, that meant another file */
	bool unsure;   /* a directory that had changed before its names were watched */
	Warm__Rpc__File
	        *file; /* as it was when its name was looked up; NULL: it had none any more, or does not count */
};

struct run {
	LIST_ENTRY(run) link;
	uint64_t id;
	pid_t pid;
	uint64_t since_s;
	int64_t since_ns;          /* CLOCK_REALTIME */
	int64_t since_tick_ns;     /* ... as files have it */
	char lost[160];            /* why the record is not complete; "" = it is */
	struct opened_file **slot; /* by object; NULL is free */
	size_t n_slots, n_files;
};

/* NULL: none of the run's. */
struct opened_file *run_find_file(const struct run *run, const struct digest *object);

/* As above, or a new one. NULL: the run is lost. */
struct opened_file *run_meet_file(struct run *run, const struct digest *object);

/* Its record is of no use: the first reason stays. */
void run_lose(struct run *run, const char *reason);
void run_forget_files(struct run *run);

struct run *runs_find(const struct runs *runs, uint64_t id);

/* As it is now, the caller's. NULL: it cannot be looked at, or memory is short. */
Warm__Rpc__File *run_look(const char *path);

#endif
