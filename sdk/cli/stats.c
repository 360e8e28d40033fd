/* SPDX-License-Identifier: MIT */
/* `warm stats` and `warm doctor`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "sdk/cli/json.h"
#include "sdk/cli/verbs.h"

#define N_TIERS 4

static const char *const tier_names[N_TIERS] = {"hot", "template", "cold_restore", "cold_start"};

struct tiers {
	Warm__Rpc__Figures__Tier *tier[N_TIERS]; /* all set */
};

static struct tiers tiers_of(const Warm__Rpc__Figures *f);
static void plugin_json(struct json *json, const Warm__Rpc__Check *c);
static void check_text(const Warm__Rpc__Check *c);
static void stats_json(const Warm__Rpc__Figures *f);
static void stats_text(const Warm__Rpc__Figures *f);
static void stats_prometheus(const Warm__Rpc__Figures *f);

int verb_stats(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Stats op = WARM__RPC__STATS__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;
	Warm__Rpc__Figures *figures = NULL;
	struct answer answer = {0};
	struct err err = {0};
	int ret;

	if (n > 1 || (n && strcmp(arg[0], "--prometheus") != 0))
		return wrong_usage("stats [--prometheus]");
	request.op_case = WARM__RPC__REQUEST__OP_STATS;
	request.stats = &op;
	ret = rpc_call(options->socket, &request, &answer, &err);
	for (size_t i = 0; i < answer.n; i++)
		if (answer.reply[i]->figures)
			figures = answer.reply[i]->figures;
	if (ret == 0 && !figures)
		ret = err_set(&err, EPROTO, "the daemon sent no figures: `warm` and `warmd` must be of one version");
	if (ret == 0 && figures) {
		if (n)
			stats_prometheus(figures);
		else if (options->json)
			stats_json(figures);
		else
			stats_text(figures);
	}
	answer_fini(&answer);
	return ret < 0 ? complain(&err) : 0;
}

int verb_doctor(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Doctor op = WARM__RPC__DOCTOR__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;
	struct json json = {.out = stdout};
	struct answer answer = {0};
	struct err err = {0};
	bool works = true;
	int ret;

	(void)arg;
	if (n)
		return wrong_usage("doctor");
	request.op_case = WARM__RPC__REQUEST__OP_DOCTOR;
	request.doctor = &op;
	ret = rpc_call(options->socket, &request, &answer, &err);
	if (ret < 0) {
		answer_fini(&answer);
		return complain(&err);
	}

	if (options->json)
		json_open(&json, NULL, '[');
	for (size_t i = 0; i < answer.n; i++)
		for (size_t k = 0; k < answer.reply[i]->n_check; k++) {
			const Warm__Rpc__Check *c = answer.reply[i]->check[k];

			works = works && (c->ok || !c->needed);
			if (options->json) {
				json_open(&json, NULL, '{');
				json_string(&json, "name", c->name);
				json_bool(&json, "ok", c->ok);
				json_bool(&json, "needed", c->needed);
				json_string(&json, "detail", c->detail);
				if (*c->path)
					plugin_json(&json, c);
				json_close(&json, '}');
			} else {
				check_text(c);
			}
		}
	if (options->json) {
		json_close(&json, ']');
		putchar('\n');
	} else {
		puts(works ? "Hot launches work." : "Hot launches do not work here: every launch is a cold start.");
	}
	answer_fini(&answer);
	return works ? 0 : 1;
}

static void plugin_json(struct json *json, const Warm__Rpc__Check *c)
{
	json_string(json, "path", c->path);
	if (c->abi)
		json_number(json, "abi", c->abi);
	else
		json_optional(json, "abi", "");
}

static void check_text(const Warm__Rpc__Check *c)
{
	printf("%-8s %s", c->ok ? "ok" : c->needed ? "MISSING" : "missing", printable(c->name));
	if (*c->path)
		printf(" (%s)", printable(c->path));
	if (c->abi)
		printf(", ABI %" PRIu32, c->abi);
	printf("%s%s\n", *c->detail ? ": " : "", printable(c->detail));
}

static struct tiers tiers_of(const Warm__Rpc__Figures *f)
{
	static Warm__Rpc__Figures__Tier none = WARM__RPC__FIGURES__TIER__INIT;
	struct tiers t = {{f->hot, f->template_, f->cold_restore, f->cold_start}};

	for (size_t i = 0; i < N_TIERS; i++)
		if (!t.tier[i])
			t.tier[i] = &none;
	return t;
}

static void stats_json(const Warm__Rpc__Figures *f)
{
	struct json json = {.out = stdout};
	struct tiers t = tiers_of(f);

	json_open(&json, NULL, '{');
	json_open(&json, "launches", '{');
	for (size_t i = 0; i < N_TIERS; i++)
		json_number(&json, tier_names[i], t.tier[i]->launches);
	json_close(&json, '}');
	json_open(&json, "fallbacks", '{');
	for (size_t i = 0; i < f->n_fallback; i++)
		json_number(&json, f->fallback[i]->reason, f->fallback[i]->count);
	json_close(&json, '}');
	json_number(&json, "snapshots", f->snapshots);
	json_number(&json, "templates", f->templates);
	json_number(&json, "standbys", f->standbys);
	json_number(&json, "loaders", f->loaders);
	json_open(&json, "memory_bytes", '{');
	json_number(&json, "templates", f->template_bytes);
	json_number(&json, "standbys", f->standby_bytes);
	json_close(&json, '}');
	json_open(&json, "launch_us", '{');
	for (size_t i = 0; i < N_TIERS; i++) {
		json_open(&json, tier_names[i], '{');
		json_number(&json, "p50", t.tier[i]->p50_us);
		json_number(&json, "p90", t.tier[i]->p90_us);
		json_number(&json, "p99", t.tier[i]->p99_us);
		json_close(&json, '}');
	}
	json_close(&json, '}');
	json_close(&json, '}');
	putchar('\n');
}

static void stats_text(const Warm__Rpc__Figures *f)
{
	struct tiers t = tiers_of(f);

	printf("%-14s %10s %10s %10s %10s\n", "TIER", "LAUNCHES", "P50 us", "P90 us", "P99 us");
	for (size_t i = 0; i < N_TIERS; i++)
		printf("%-14s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n", tier_names[i],
		       t.tier[i]->launches, t.tier[i]->p50_us, t.tier[i]->p90_us, t.tier[i]->p99_us);
	printf("\nsnapshots %" PRIu32 ", templates %" PRIu32 " (%" PRIu64 " KiB), standbys %" PRIu32 " (%" PRIu64
	       " KiB), loaders %" PRIu32 "\n",
	       f->snapshots, f->templates, f->template_bytes / 1024, f->standbys, f->standby_bytes / 1024, f->loaders);
	for (size_t i = 0; i < f->n_fallback; i++)
		printf("%s%10" PRIu64 "  %s\n", i ? "" : "\nwhy not hotter:\n", f->fallback[i]->count,
		       printable(f->fallback[i]->reason));
}

static void prometheus_label(const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s == '\n' ? ' ' : *s);
	}
}

static void stats_prometheus(const Warm__Rpc__Figures *f)
{
	struct tiers t = tiers_of(f);

	puts("# HELP warm_launches_total Launches by tier.\n# TYPE warm_launches_total counter");
	for (size_t i = 0; i < N_TIERS; i++)
		printf("warm_launches_total{tier=\"%s\"} %" PRIu64 "\n", tier_names[i], t.tier[i]->launches);
	puts("# HELP warm_launch_seconds From accept to GO sent.\n# TYPE warm_launch_seconds summary");
	for (size_t i = 0; i < N_TIERS; i++) {
		const uint64_t us[] = {t.tier[i]->p50_us, t.tier[i]->p90_us, t.tier[i]->p99_us};
		static const char *const quantiles[] = {"0.5", "0.9", "0.99"};

		for (size_t k = 0; k < 3; k++)
			printf("warm_launch_seconds{tier=\"%s\",quantile=\"%s\"} %g\n", tier_names[i], quantiles[k],
			       (double)us[k] / 1e6);
		printf("warm_launch_seconds_count{tier=\"%s\"} %" PRIu64 "\n", tier_names[i], t.tier[i]->launches);
	}
	puts("# HELP warm_fallbacks_total Why launches were not hotter.\n# TYPE warm_fallbacks_total counter");
	for (size_t i = 0; i < f->n_fallback; i++) {
		fputs("warm_fallbacks_total{reason=\"", stdout);
		prometheus_label(f->fallback[i]->reason);
		printf("\"} %" PRIu64 "\n", f->fallback[i]->count);
	}
	printf("# TYPE warm_snapshots gauge\nwarm_snapshots %" PRIu32 "\n", f->snapshots);
	printf("# TYPE warm_templates gauge\nwarm_templates %" PRIu32 "\n", f->templates);
	printf("# TYPE warm_standbys gauge\nwarm_standbys %" PRIu32 "\n", f->standbys);
	printf("# TYPE warm_loaders gauge\nwarm_loaders %" PRIu32 "\n", f->loaders);
	printf("# TYPE warm_memory_bytes gauge\nwarm_memory_bytes{of=\"templates\"} %" PRIu64
	       "\nwarm_memory_bytes{of=\"standbys\"} %" PRIu64 "\n",
	       f->template_bytes, f->standby_bytes);
}
