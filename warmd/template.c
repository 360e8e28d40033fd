/* SPDX-License-Identifier: MIT */
#include "warmd/template.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/store.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/pool.h"
#include "warmd/traits.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_TIMEOUT_S 30
#define N_RESTORE_ARGS     9 /* of warm-restore, before those about plugins */

struct template
{
	struct entry *entry;
	struct worker *worker;
	bool ready, huge;
	uint64_t bytes;
	uint32_t serial;
	struct launch_traits traits;
};

static void template_report(void *arg, const struct report *report)
{
	struct template *tmpl = arg;

	if (report->kind == REPORT_PROGRESS)
		return;
	if (report->kind != REPORT_TEMPLATE_READY) {
		pool_template_failed(tmpl->entry, tmpl, report);
		return;
	}
	worker_no_timeout(tmpl->worker);
	/* Not known: all zero differs from every launch, so everything is set. */
	traits_read(worker_pid(tmpl->worker), &tmpl->traits);
	tmpl->ready = true;
	tmpl->bytes = (uint64_t)report->value;
	pool_template_ready(tmpl->entry);
}

struct template *template_start(struct entry *entry, bool huge, struct err *err)
{
	struct daemon *daemon = entry->daemon;
	struct template *tmpl = calloc(1, sizeof(*tmpl));
	CLEAN(fd) int image_fd = -1;
	int r;

	if (!tmpl) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	tmpl->entry = entry;
	tmpl->huge = huge;
	r = store_open_image(daemon->store, entry->id, &image_fd, err);
	if (r == STORE_GONE)
		err_set(err, ENOENT, "image %s is gone", entry->id);
	if (!r) {
		const char *argv[N_RESTORE_ARGS + CONFIG_PLUGIN_ARGS + 2] = {
		        "warm-restore", "--image", "3", "--sock", "4", "--init", "5", "--label", entry->id};
		const int fds[] = {image_fd, -1, daemon->init_fd};
		const struct worker_spec spec = {.program = SPAWN_RESTORE,
		                                 .argv = argv,
		                                 .fds = fds,
		                                 .n_fds = 3,
		                                 .timeout_s = TEMPLATE_TIMEOUT_S,
		                                 .cb = template_report,
		                                 .arg = tmpl};

		argv[N_RESTORE_ARGS] = huge ? "--huge" : NULL;
		config_plugin_args(&daemon->config, argv + N_RESTORE_ARGS + huge);
		tmpl->worker = worker_start(daemon, &spec, err);
	}
	if (!tmpl->worker) {
		free(tmpl);
		return NULL;
	}
	return tmpl;
}

void template_free(struct template *tmpl)
{
	if (!tmpl)
		return;
	worker_free(tmpl->worker);
	free(tmpl);
}

bool template_ready(const struct template *tmpl)
{
	return tmpl && tmpl->ready;
}

bool template_huge(const struct template *tmpl)
{
	return tmpl && tmpl->huge;
}

uint64_t template_bytes(const struct template *tmpl)
{
	return tmpl ? tmpl->bytes : 0;
}

const struct launch_traits *template_traits(const struct template *tmpl)
{
	return &tmpl->traits;
}

int template_make_standby(struct template *tmpl, int go_fd, int sup_fd, int tty_fd, bool hurry)
{
	static unsigned char message[MAKE_SIZE_MAX]; /* header and working set, one datagram */
	const struct working_set *set = &tmpl->entry->pool.working_set;
	struct make_standby make = {
	        .magic = MAKE_MAGIC, .serial = ++tmpl->serial, .n_touch = (uint32_t)set->n, .hurry = hurry};
	const int fds[] = {go_fd, sup_fd, tty_fd};
	size_t len = sizeof(make) + set->n * sizeof(struct touch);

	if (!tmpl->entry->trial)
		make.skip = 1u << MAKE_NO_TRIAL;
	memcpy(message, &make, sizeof(make));
	if (set->n)
		memcpy(message + sizeof(make), set->touch, set->n * sizeof(struct touch));
	return fd_send(worker_sock(tmpl->worker), message, len, fds, tty_fd >= 0 ? 3 : 2);
}
