/* SPDX-License-Identifier: MIT */
/*
 * What only workers can find out for `warm doctor`: which file systems are watched how, which plugins there are.
 *
 *     LOOKING ─ warm-opened, a report each ─► CHECKING ─ warm-snap, a report each ─► ended
 */
#include "base/err.h"
#include "proto/launch.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/doctor.h"
#include "warmd/verb_job.h"
#include "warmd/verbs_internal.h"
#include "warmd/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_TIMEOUT_S  10
#define CHECK_TIMEOUT_S 60 /* each plugin has some seconds */

#define NOT_SEEN                                                                                                       \
	"what programs open there is not recorded: only what they declare, map or keep open is looked at before a "    \
	"launch, and programs without the hook that use it get no snapshot"

static void send_check(struct client *client, Warm__Rpc__Check *check)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;

	reply.check = &check;
	reply.n_check = 1;
	client_reply(client, &reply);
}

enum verdict { FINE, MISSING, NEEDED };

__attribute__((format(printf, 4, 5))) static void say(struct client *client, const char *name, enum verdict verdict,
                                                      const char *fmt, ...)
{
	Warm__Rpc__Check check = WARM__RPC__CHECK__INIT;
	char detail[640];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	check.name = (char *)name;
	check.ok = verdict == FINE;
	check.needed = verdict == NEEDED;
	check.detail = detail;
	send_check(client, &check);
}

static void doctor_end(struct verb_job *job)
{
	struct client *client = job->client;

	verb_job_free(job);
	verb_end(client);
}

/* ---- plugins ----------------------------------------------------------------------------------------------------- */

/* One that is wrong costs every snapshot: it might have had something to say. */
static void say_plugin(struct client *client, const struct report *report)
{
	Warm__Rpc__Check check = WARM__RPC__CHECK__INIT;
	char text[sizeof(report->text) + 1], name[64], detail[400], *at = text, *plugin, *path;

	snprintf(text, sizeof(text), "%.*s", (int)sizeof(report->text), report->text);
	plugin = strsep(&at, "\t");
	path = at ? strsep(&at, "\t") : NULL;
	if (!at)
		return;
	snprintf(name, sizeof(name), "plugin %s", plugin);
	snprintf(detail, sizeof(detail), "%s%s", report->err ? "no snapshot is taken as long as it is there: " : "",
	         at);
	check.name = name;
	check.ok = !report->err;
	check.needed = report->err;
	check.detail = detail;
	check.path = path;
	check.abi = (uint32_t)report->value;
	send_check(client, &check);
}

static void plugin_report(void *arg, const struct report *report)
{
	struct verb_job *job = arg;
	char reason[ERR_MSG_MAX];

	if (report->kind == REPORT_PROGRESS) {
		say_plugin(job->client, report);
		return;
	}
	if (report->kind == REPORT_FAILED) {
		worker_reason(report, reason, sizeof(reason));
		say(job->client, "plugins", NEEDED, "no snapshot is taken: %s", reason);
	}
	doctor_end(job);
}

static void check_plugins(struct verb_job *job)
{
	const char *argv[4 + CONFIG_PLUGIN_ARGS + 1] = {"warm-snap", "--check-plugins", "--report", "3"};
	const struct worker_spec spec = {.program = SPAWN_SNAP,
	                                 .argv = argv,
	                                 .fds = (int[]){-1},
	                                 .n_fds = 1,
	                                 .timeout_s = CHECK_TIMEOUT_S,
	                                 .stops_nobody = true,
	                                 .cb = plugin_report,
	                                 .arg = job};
	struct err err;

	config_plugin_args(&job->daemon->config, argv + 4);
	job->worker = worker_start(job->daemon, &spec, &err);
	if (job->worker)
		return;
	say(job->client, "plugins", NEEDED, "they cannot be looked at: %s", err.msg);
	doctor_end(job);
}

/* ---- file systems ------------------------------------------------------------------------------------------------ */

static void opened_report(void *arg, const struct report *report)
{
	struct verb_job *job = arg;
	char reason[ERR_MSG_MAX];

	if (report->kind == REPORT_PROGRESS) {
		if (report->err)
			say(job->client, "opened-files", MISSING, "%.*s: " NOT_SEEN, (int)sizeof(report->text),
			    report->text);
		else
			say(job->client, "opened-files", FINE,
			    "the root file system has no file handles: it is watched by descriptors");
		return;
	}
	if (report->kind == REPORT_FAILED) {
		worker_reason(report, reason, sizeof(reason));
		say(job->client, "opened-files", MISSING, "they are not recorded: %s", reason);
	}
	worker_free(job->worker);
	job->worker = NULL;
	check_plugins(job);
}

static void look(struct verb_job *job)
{
	const char *const argv[] = {"warm-opened", "--report", "3", "--look", NULL};
	const struct worker_spec spec = {.program = SPAWN_OPENED,
	                                 .argv = argv,
	                                 .fds = (int[]){-1},
	                                 .n_fds = 1,
	                                 .timeout_s = LOOK_TIMEOUT_S,
	                                 .cb = opened_report,
	                                 .arg = job};
	struct err err;

	job->worker = worker_start(job->daemon, &spec, &err);
	if (job->worker)
		return;
	say(job->client, "opened-files", MISSING, "they are not recorded: %s", err.msg);
	check_plugins(job);
}

void doctor_ask_workers(struct client *client)
{
	struct verb_job *job = verb_job_new(client);

	if (!job)
		return;
	if (client->daemon->machine.records && client->daemon->config.record_opened)
		look(job);
	else
		check_plugins(job);
}
