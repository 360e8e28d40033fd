/* SPDX-License-Identifier: MIT */
/* `warm ls` and `warm show`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "sdk/cli/json.h"
#include "sdk/cli/verbs.h"

struct place {
	size_t reply, file;
};

static void ls_json(const struct answer *answer);
static void ls_table(const struct answer *answer);
static void summary_json(struct json *json, const Warm__Rpc__Snapshot *s);
static void show_json(const struct answer *answer);
static void show_text(const struct answer *answer);
static void print_command(const Warm__Rpc__Snapshot *s);
static const char *size_words(uint64_t bytes, char buf[24]);
static const char *date_words(uint64_t seconds, char buf[32]);

int verb_ls(const struct options *options, int n, char **arg)
{
	Warm__Rpc__List op = WARM__RPC__LIST__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;
	struct answer answer = {0};
	struct err err = {0};
	int ret;

	(void)arg;
	if (n)
		return wrong_usage("ls");
	request.op_case = WARM__RPC__REQUEST__OP_LIST;
	request.list = &op;
	ret = rpc_call(options->socket, &request, &answer, &err);
	if (ret == 0 && options->json)
		ls_json(&answer);
	else if (ret == 0)
		ls_table(&answer);
	answer_fini(&answer);
	return ret < 0 ? complain(&err) : 0;
}

int verb_show(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Show op = WARM__RPC__SHOW__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;
	struct answer answer = {0};
	struct err err = {0};
	int ret;

	if (n != 1)
		return wrong_usage("show SNAP");
	op.snapshot = arg[0];
	request.op_case = WARM__RPC__REQUEST__OP_SHOW;
	request.show = &op;
	ret = rpc_call(options->socket, &request, &answer, &err);
	if (ret == 0 && (!answer.n || !answer.reply[0]->n_snapshot))
		ret = err_set(&err, EPROTO,
		              "the daemon's answer makes no sense: `warm` and `warmd` must be of one version");
	else if (ret == 0 && options->json)
		show_json(&answer);
	else if (ret == 0)
		show_text(&answer);
	answer_fini(&answer);
	return ret < 0 ? complain(&err) : 0;
}

/* A snapshot of many files comes in several replies: the first has everything else, all have files. */
static const Warm__Rpc__File *next_file(const struct answer *answer, struct place *at)
{
	for (; at->reply < answer->n; at->reply++, at->file = 0) {
		const Warm__Rpc__Reply *reply = answer->reply[at->reply];

		if (reply->n_snapshot && at->file < reply->snapshot[0]->n_file)
			return reply->snapshot[0]->file[at->file++];
	}
	return NULL;
}

static void ls_json(const struct answer *answer)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '[');
	for (size_t i = 0; i < answer->n; i++)
		for (size_t k = 0; k < answer->reply[i]->n_snapshot; k++) {
			json_open(&json, NULL, '{');
			summary_json(&json, answer->reply[i]->snapshot[k]);
			json_close(&json, '}');
		}
	json_close(&json, ']');
	putchar('\n');
}

static void ls_table(const struct answer *answer)
{
	char rss[24], stored[24], created[32];

	printf("%-14s %-11s %-16s %7s %8s %8s %8s  %s\n", "ID", "STATE", "CREATED", "HITS", "MEMORY", "STORED",
	       "STANDBY", "COMMAND");
	for (size_t i = 0; i < answer->n; i++)
		for (size_t k = 0; k < answer->reply[i]->n_snapshot; k++) {
			const Warm__Rpc__Snapshot *s = answer->reply[i]->snapshot[k];

			printf("%-14.14s %-11s %-16s %7" PRIu64 " %8s %8s %8" PRIu32 "  ", s->id, s->state,
			       date_words(s->created, created), s->hits, size_words(s->rss_bytes, rss),
			       size_words(s->stored_bytes, stored), s->standbys);
			if (*s->name)
				printf("(%s) ", printable(s->name));
			print_command(s);
			if (*s->reason)
				printf("%-14s %s\n", "", printable(s->reason));
		}
}

static void summary_json(struct json *json, const Warm__Rpc__Snapshot *s)
{
	json_string(json, "id", s->id);
	json_string(json, "name", s->name);
	json_string(json, "state", s->state);
	json_strings(json, "command", s->command, s->n_command);
	json_number(json, "uid", s->uid);
	json_number(json, "created", s->created);
	json_number(json, "last_used", s->last_used);
	json_number(json, "hits", s->hits);
	json_number(json, "processes", s->processes);
	json_number(json, "threads", s->threads);
	json_number(json, "rss_bytes", s->rss_bytes);
	json_number(json, "stored_bytes", s->stored_bytes);
	json_number(json, "standbys", s->standbys);
	json_number(json, "standbys_wanted", s->standbys_wanted);
	json_optional(json, "reason", s->reason);
}

static void file_identity(const Warm__Rpc__File *file, char buf[120])
{
	snprintf(buf, 120, "dev %" PRIx64 " ino %" PRIu64 " size %" PRIu64 " mtime %" PRId64 ".%09" PRId64, file->dev,
	         file->ino, file->size, file->mtime_ns / 1000000000, file->mtime_ns % 1000000000);
}

static void show_json(const struct answer *answer)
{
	const Warm__Rpc__Snapshot *s = answer->reply[0]->snapshot[0];
	const Warm__Rpc__File *file;
	struct json json = {.out = stdout};
	struct place at = {0};
	char identity[120];

	json_open(&json, NULL, '{');
	summary_json(&json, s);
	json_open(&json, "files", '[');
	while ((file = next_file(answer, &at))) {
		json_open(&json, NULL, '{');
		json_string(&json, "path", file->path);
		file_identity(file, identity);
		json_string(&json, "identity", identity);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_strings(&json, "not_recorded", s->not_recorded, s->n_not_recorded);
	json_strings(&json, "descriptors", s->descriptor, s->n_descriptor);
	json_number(&json, "working_set_bytes", s->working_set_bytes);
	json_number(&json, "learnt_launches", s->learnt_launches);
	json_number(&json, "learnt_bytes", s->learnt_bytes);
	json_number(&json, "last_faults", s->last_faults);
	json_bool(&json, "huge_pages", s->huge_pages);
	json_optional(&json, "pool", s->pool);
	json_number(&json, "stopped_us", s->stopped_us);
	json_optional(&json, "stopped_reason", s->stopped_reason);
	json_open(&json, "needs", '{');
	json_string(&json, "cpu", s->cpu);
	json_string(&json, "kernel", s->kernel);
	json_close(&json, '}');
	json_close(&json, '}');
	putchar('\n');
}

static void show_text(const struct answer *answer)
{
	const Warm__Rpc__Snapshot *s = answer->reply[0]->snapshot[0];
	const Warm__Rpc__File *file;
	const char *title = "files";
	struct place at = {0};
	char size[24], date[32], identity[120];

	printf("id           %s\n", s->id);
	if (*s->name)
		printf("name         %s\n", printable(s->name));
	printf("state        %s%s%s\n", s->state, *s->reason ? ": " : "", printable(s->reason));
	printf("command      ");
	print_command(s);
	printf("user         %" PRIu32 "\n", s->uid);
	printf("created      %s\n", date_words(s->created, date));
	printf("last used    %s, %" PRIu64 " launches\n", date_words(s->last_used, date), s->hits);
	printf("processes    %" PRIu32 ", threads %" PRIu32 "\n", s->processes, s->threads);
	printf("memory       %s\n", size_words(s->rss_bytes, size));
	printf("stored       %s\n", size_words(s->stored_bytes, size));
	printf("working set  %s\n", size_words(s->working_set_bytes, size));
	printf("standbys     %" PRIu32 " of %" PRIu32 "%s%s\n", s->standbys, s->standbys_wanted, *s->pool ? "; " : "",
	       s->pool);
	printf("stopped      %.1f ms while it was taken%s%s\n", (double)s->stopped_us / 1000,
	       *s->stopped_reason ? ", while its memory was copied: " : "", printable(s->stopped_reason));
	printf("needs        kernel %s\n             cpu %s\n", s->kernel, s->cpu);
	for (size_t i = 0; i < s->n_not_recorded; i++)
		printf("%-12s %s\n", i ? "" : "not recorded", printable(s->not_recorded[i]));
	for (size_t i = 0; i < s->n_descriptor; i++)
		printf("%-12s %s\n", i ? "" : "descriptors", printable(s->descriptor[i]));
	for (; (file = next_file(answer, &at)); title = "") {
		file_identity(file, identity);
		printf("%-12s %s (%s)\n", title, printable(file->path), identity);
	}
}

static void print_command(const Warm__Rpc__Snapshot *s)
{
	for (size_t i = 0; i < s->n_command; i++)
		printf("%s%s", i ? " " : "", printable(s->command[i]));
	putchar('\n');
}

static const char *size_words(uint64_t bytes, char buf[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	snprintf(buf, 24, value < 10 && unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

static const char *date_words(uint64_t seconds, char buf[32])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!seconds || !localtime_r(&when, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M", &tm))
		strcpy(buf, "never");
	return buf;
}
