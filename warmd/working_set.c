/* SPDX-License-Identifier: MIT */
#include "warmd/working_set.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/log.h"
#include "warmd/pool.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RECORDS 4 /* launches that are watched: what one look comes too late for, the next may see */
#define TRIES   8
#define PAGE    4096u

void working_set_init(struct working_set *set)
{
	*set = (struct working_set){.fd = -1};
}

void working_set_fini(struct working_set *set)
{
	if (set->worker)
		worker_free(set->worker);
	clean_fd(&set->fd);
	free(set->touch);
	working_set_init(set);
}

static uint64_t n_pages(const struct working_set *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += set->touch[i].pages;
	return n;
}

uint64_t working_set_bytes(const struct working_set *set)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < set->n; i++)
		if (set->touch[i].advice == MADV_POPULATE_WRITE)
			bytes += (uint64_t)set->touch[i].pages * PAGE;
	return bytes;
}

/* ---- the union of two records ------------------------------------------------------------------------------------ */

static int by_advice_and_address(const void *a, const void *b)
{
	const struct touch *x = a, *y = b;

	if (x->advice != y->advice)
		return x->advice < y->advice ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static size_t merge(struct touch *touch, size_t n)
{
	size_t out = 0;

	qsort(touch, n, sizeof(*touch), by_advice_and_address);
	for (size_t i = 0; i < n; i++) {
		struct touch *last = out ? &touch[out - 1] : NULL;
		uint64_t end = touch[i].addr + (uint64_t)touch[i].pages * PAGE;

		if (last && last->advice == touch[i].advice &&
		    touch[i].addr <= last->addr + (uint64_t)last->pages * PAGE) {
			if (end > last->addr + (uint64_t)last->pages * PAGE)
				last->pages = (uint32_t)((end - last->addr) / PAGE);
		} else {
			touch[out++] = touch[i];
		}
	}
	return out < TOUCH_MAX ? out : TOUCH_MAX;
}

static int take_record(struct working_set *set)
{
	struct touch *more = reallocarray(set->touch, set->n + TOUCH_MAX, sizeof(*more));
	ssize_t got;

	if (!more)
		return -ENOMEM;
	set->touch = more;
	got = fd_pread_full(set->fd, more + set->n, TOUCH_MAX * sizeof(*more), 0);
	if (got < 0)
		return (int)got;
	set->n = merge(more, set->n + (size_t)got / sizeof(*more));
	return 0;
}

/* ---- watching a launch ------------------------------------------------------------------------------------------- */

static void recorded(void *arg, const struct report *report)
{
	struct entry *entry = arg;
	struct working_set *set = &entry->pool.working_set;
	uint64_t before = n_pages(set);

	if (report->kind == REPORT_PROGRESS)
		return;
	if (report->kind == REPORT_DONE && report->value > 0 && take_record(set) == 0) {
		set->n_records++;
		if (n_pages(set) > before)
			pool_renew(entry);
	}
	worker_free(set->worker);
	set->worker = NULL;
	clean_fd(&set->fd);
	set->fd = -1;
}

static bool knows_enough(const struct working_set *set)
{
	return set->n_records >= RECORDS || set->n_tries >= TRIES;
}

/* It waits for the launch as long as there is the standby. */
void working_set_parked(struct entry *entry, pid_t pid)
{
	struct working_set *set = &entry->pool.working_set;
	char pid_text[16];
	const char *const argv[] = {"warm-snap", "--pid", pid_text, "--touched", "3", "--report", "4", NULL};
	struct worker_spec spec = {
	        .program = SPAWN_SNAP, .argv = argv, .n_fds = 2, .stops_nobody = true, .cb = recorded, .arg = entry};
	int fds[2] = {-1, -1};
	struct err err;

	if (pid <= 0 || set->worker || knows_enough(set))
		return;
	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	set->fd = fds[0] = memfd_create("working set", MFD_CLOEXEC);
	if (set->fd < 0)
		return;
	spec.fds = fds;
	set->worker = worker_start(entry->daemon, &spec, &err);
	set->watched = pid;
	set->launched = false;
	if (!set->worker) {
		clean_fd(&set->fd);
		set->fd = -1;
		log_line("the working set of %s is not recorded: %s", entry->id, err.msg);
	}
}

bool working_set_watches(const struct working_set *set, pid_t pid)
{
	return set->worker && set->watched == pid && !set->launched;
}

void working_set_launched(struct entry *entry, pid_t pid)
{
	const struct report launched = {
	        .magic = REPORT_MAGIC, .kind = REPORT_RUNNING, .op = -1, .value = (int64_t)daemon_now_ns()};
	struct working_set *set = &entry->pool.working_set;

	working_set_parked(entry, pid);
	if (!working_set_watches(set, pid))
		return;
	set->launched = true;
	set->n_tries++;
	fd_send(worker_sock(set->worker), &launched, sizeof(launched), NULL, 0);
}
