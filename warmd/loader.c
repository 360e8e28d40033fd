/* SPDX-License-Identifier: MIT */
#include "warmd/loader.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/store.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/exec_job.h"
#include "warmd/log.h"
#include "warmd/pager.h"
#include "warmd/standby.h"
#include "warmd/traits.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define LOADERS        2    /* that wait: more launches at once than these wait for the template */
#define LOAD_TIMEOUT_S 30   /* from its start until it is parked; what it makes has a standby's limit */
#define REFILL_S       0.02 /* behind the launch that took one */
#define PAUSE_S        2.0  /* after a failure */
#define N_LOADER_ARGS  6    /* of warm-restore, before those about plugins */

struct loader {
	LIST_ENTRY(loader) link; /* of those that are not taken */
	struct loaders *loaders;
	struct worker *worker;
	struct standby *standby; /* LOADING: whose it is */
	bool parked;
	struct launch_traits traits;
};

struct loaders {
	struct daemon *daemon;
	LIST_HEAD(, loader) list;
	unsigned n;
	struct pager *pager;
	ev_timer refill;
};

static void refill_in(struct loaders *loaders, double seconds)
{
	ev_timer_stop(loaders->daemon->loop, &loaders->refill);
	ev_timer_set(&loaders->refill, seconds, 0);
	ev_timer_start(loaders->daemon->loop, &loaders->refill);
}

void loader_free(struct loader *loader)
{
	if (!loader)
		return;
	worker_free(loader->worker);
	free(loader);
}

static void loaders_failed(struct loaders *loaders, const char *reason)
{
	log_line("no loader: %s", reason);
	refill_in(loaders, PAUSE_S);
	exec_jobs_loader_failed(loaders->daemon, reason);
}

static void loader_failed(struct loader *loader, const struct report *report)
{
	struct loaders *loaders = loader->loaders;
	struct standby *standby = loader->standby;
	char reason[ERR_MSG_MAX];

	if (standby) {
		standby_load_failed(standby, report); /* frees the loader, and itself */
		return;
	}
	worker_reason(report, reason, sizeof(reason));
	LIST_REMOVE(loader, link);
	loaders->n--;
	loader_free(loader);
	loaders_failed(loaders, reason);
}

static void loader_report(void *arg, const struct report *report)
{
	struct loader *loader = arg;

	if (report->kind == REPORT_TEMPLATE_READY && !loader->parked) {
		worker_no_timeout(loader->worker);
		/* Not known: all zero differs from every launch, so everything is set. */
		traits_read(worker_pid(loader->worker), &loader->traits);
		loader->parked = true;
		exec_jobs_loader_parked(loader->loaders->daemon); /* it may be gone on return */
	} else if (report->kind == REPORT_DONE && loader->standby) {
		standby_loaded(loader->standby, (uint64_t)report->value);
		loader_free(loader);
	} else if (report->kind != REPORT_PROGRESS) {
		loader_failed(loader, report);
	}
}

static int loader_start(struct loaders *loaders, struct err *err)
{
	struct daemon *daemon = loaders->daemon;
	struct loader *loader = calloc(1, sizeof(*loader));
	const char *argv[N_LOADER_ARGS + CONFIG_PLUGIN_ARGS + 1] = {"warm-restore", "--loader", "--sock", "3",
	                                                            "--init",       "4"};
	const int fds[] = {-1, daemon->init_fd};
	const struct worker_spec spec = {.program = SPAWN_RESTORE,
	                                 .argv = argv,
	                                 .fds = fds,
	                                 .n_fds = 2,
	                                 .timeout_s = LOAD_TIMEOUT_S,
	                                 .cb = loader_report,
	                                 .arg = loader};

	if (!loader)
		return err_set(err, ENOMEM, "out of memory");
	config_plugin_args(&daemon->config, argv + N_LOADER_ARGS);
	loader->loaders = loaders;
	loader->worker = worker_start(daemon, &spec, err);
	if (!loader->worker) {
		free(loader);
		return -err->code;
	}
	LIST_INSERT_HEAD(&loaders->list, loader, link);
	loaders->n++;
	return 0;
}

static void loaders_refill(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct loaders *loaders = timer->data;
	struct err err;

	(void)loop;
	(void)revents;
	while (loaders->n < LOADERS)
		if (loader_start(loaders, &err) < 0) {
			loaders_failed(loaders, err.msg);
			return;
		}
}

int loaders_new(struct daemon *daemon, struct loaders **ret, struct err *err)
{
	struct loaders *loaders = calloc(1, sizeof(*loaders));

	if (!loaders)
		return err_set(err, ENOMEM, "out of memory");
	loaders->daemon = daemon;
	LIST_INIT(&loaders->list);
	ev_timer_init(&loaders->refill, loaders_refill, REFILL_S, 0);
	loaders->refill.data = loaders;
	loaders->pager = pager_new(daemon);
	if (!loaders->pager) {
		free(loaders);
		return err_set(err, ENOMEM, "out of memory");
	}
	if (daemon->machine.hot)
		refill_in(loaders, REFILL_S);
	*ret = loaders;
	return 0;
}

void loaders_free(struct loaders *loaders)
{
	struct loader *loader;

	if (!loaders)
		return;
	ev_timer_stop(loaders->daemon->loop, &loaders->refill);
	while ((loader = LIST_FIRST(&loaders->list))) {
		LIST_REMOVE(loader, link);
		loader_free(loader);
	}
	pager_free(loaders->pager);
	free(loaders);
}

struct loader *loader_take(struct loaders *loaders)
{
	struct loader *loader;

	LIST_FOREACH(loader, &loaders->list, link)
	{
		if (!loader->parked)
			continue;
		LIST_REMOVE(loader, link);
		loaders->n--;
		refill_in(loaders, REFILL_S);
		return loader;
	}
	if (!ev_is_active(&loaders->refill)) /* else one is being made, or could not be */
		refill_in(loaders, 0);
	return NULL;
}

unsigned loaders_parked(const struct loaders *loaders)
{
	const struct loader *loader;
	unsigned n = 0;

	LIST_FOREACH(loader, &loaders->list, link)
	n += loader->parked;
	return n;
}

bool loaders_record(const struct loaders *loaders)
{
	return loaders && pager_requests(loaders->pager) >= 0;
}

int loader_load(struct loader *loader, struct entry *entry, struct standby *standby, int go_fd, int sup_fd, int tty_fd,
                struct err *err)
{
	struct load_image load = {.magic = LOAD_MAGIC};
	CLEAN(fd) int image_fd = -1;
	int fds[LOAD_FDS_MAX] = {[LOAD_GO] = go_fd, [LOAD_SUP] = sup_fd};
	int requests_fd = pager_requests(loader->loaders->pager);
	size_t n_fds = LOAD_OTHERS;
	int r = store_open_image(entry->daemon->store, entry->id, &image_fd, err);

	if (r == STORE_GONE)
		return err_set(err, ENOENT, "image %s is gone", entry->id);
	if (r)
		return r;
	fds[LOAD_IMAGE] = image_fd;
	if (tty_fd >= 0) {
		load.flags |= LOAD_TERMINAL;
		fds[n_fds++] = tty_fd;
	}
	if (requests_fd >= 0) {
		load.flags |= LOAD_PAGER;
		fds[n_fds++] = requests_fd;
		fds[n_fds] = learning_begin(entry);
	}
	if (requests_fd >= 0 && fds[n_fds] >= 0) {
		load.flags |= LOAD_RECORD;
		n_fds++;
	}
	snprintf(load.label, sizeof(load.label), "%s", entry->id);
	r = fd_send(worker_sock(loader->worker), &load, sizeof(load), fds, n_fds);
	if (r < 0)
		return err_sys(err, -r, "ask a loader for image %s", entry->id);
	loader->standby = standby;
	standby->plan = load.flags & LOAD_PAGER ? PLAN_PAGED : PLAN_STRAIGHT;
	return 0;
}

const struct launch_traits *loader_traits(const struct loader *loader)
{
	return &loader->traits;
}
