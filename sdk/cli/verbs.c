/* SPDX-License-Identifier: MIT */
/* The verbs whose answer is lines: snapshot, rm, gc, verify, plan, pool; and the one that this version does not have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/utf8.h"
#include "sdk/cli/json.h"
#include "sdk/cli/verbs.h"

static int lines_of(const struct options *options, const Warm__Rpc__Request *request);
static void print_lines(const struct options *options, const struct answer *answer);

int complain(const struct err *err)
{
	char msg[ERR_MSG_MAX];

	snprintf(msg, sizeof(msg), "%s", err->msg);
	utf8_printable(msg);
	fflush(stdout);
	fprintf(stderr, "warm: %s\n", msg);
	return 1;
}

const char *printable(char *text)
{
	utf8_printable(text);
	return text;
}

int wrong_usage(const char *text)
{
	fprintf(stderr, "warm: usage: warm [--socket PATH] [--json] %s\n", text);
	return EXIT_USAGE;
}

int verb_rm(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Remove op = WARM__RPC__REMOVE__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;

	if (n < 1)
		return wrong_usage("rm SNAP…");
	op.n_snapshot = (size_t)n;
	op.snapshot = arg;
	request.op_case = WARM__RPC__REQUEST__OP_REMOVE;
	request.remove = &op;
	return lines_of(options, &request);
}

int verb_gc(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Gc op = WARM__RPC__GC__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;

	(void)arg;
	if (n)
		return wrong_usage("gc");
	request.op_case = WARM__RPC__REQUEST__OP_GC;
	request.gc = &op;
	return lines_of(options, &request);
}

int verb_verify(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Verify op = WARM__RPC__VERIFY__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;

	op.n_snapshot = (size_t)n;
	op.snapshot = arg;
	request.op_case = WARM__RPC__REQUEST__OP_VERIFY;
	request.verify = &op;
	return lines_of(options, &request);
}

int verb_plan(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Plan op = WARM__RPC__PLAN__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;

	if (n != 1)
		return wrong_usage("plan SNAP");
	op.snapshot = arg[0];
	request.op_case = WARM__RPC__REQUEST__OP_PLAN;
	request.plan = &op;
	return lines_of(options, &request);
}

int verb_pool(const struct options *options, int n, char **arg)
{
	Warm__Rpc__Pool op = WARM__RPC__POOL__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;
	char *end = NULL;
	long standbys = -1;

	if (n == 2)
		standbys = strtol(arg[1], &end, 10);
	if (n > 2 || (end && (*end || end == arg[1] || standbys < 0 || standbys > 1000)))
		return wrong_usage("pool [SNAP [N]]   (N: 0 to 1000)");
	if (n)
		op.snapshot = arg[0];
	op.standbys = (int32_t)standbys;
	request.op_case = WARM__RPC__REQUEST__OP_POOL;
	request.pool = &op;
	return lines_of(options, &request);
}

int verb_snapshot(const struct options *options, int n, char **arg)
{
	static const char usage[] = "snapshot PID [--name N] [--stop]";
	Warm__Rpc__Take op = WARM__RPC__TAKE__INIT;
	Warm__Rpc__Request request = WARM__RPC__REQUEST__INIT;
	char *end = NULL;
	long pid = 0;

	for (int i = 0; i < n; i++) {
		if (strcmp(arg[i], "--stop") == 0) {
			op.stop = true;
		} else if (strcmp(arg[i], "--name") == 0 && i + 1 < n) {
			op.name = arg[++i];
		} else if (strncmp(arg[i], "--name=", 7) == 0) {
			op.name = arg[i] + 7;
		} else if (pid || (pid = strtol(arg[i], &end, 10)) <= 0 || *end || pid > INT32_MAX) {
			return wrong_usage(usage);
		}
	}
	if (!pid)
		return wrong_usage(usage);
	op.pid = (int32_t)pid;
	request.op_case = WARM__RPC__REQUEST__OP_TAKE;
	request.take = &op;
	return lines_of(options, &request);
}

int verb_restore(const struct options *options, int n, char **arg)
{
	(void)options, (void)n, (void)arg;
	fputs("warm: restore: this version brings snapshots back only by launching: run the same command with `warm "
	      "exec`\n",
	      stderr);
	return 1;
}

static int lines_of(const struct options *options, const Warm__Rpc__Request *request)
{
	struct answer answer = {0};
	struct err err = {0};
	int ret = rpc_call(options->socket, request, &answer, &err);

	print_lines(options, &answer);
	for (size_t i = 0; i < answer.n; i++)
		for (size_t k = 0; k < answer.reply[i]->n_note; k++)
			fprintf(stderr, "warm: %s\n", printable(answer.reply[i]->note[k]));
	answer_fini(&answer);
	return ret < 0 ? complain(&err) : 0;
}

static void print_lines(const struct options *options, const struct answer *answer)
{
	struct json json = {.out = stdout};

	if (options->json)
		json_open(&json, NULL, '[');
	for (size_t i = 0; i < answer->n; i++)
		for (size_t k = 0; k < answer->reply[i]->n_line; k++)
			if (options->json)
				json_string(&json, NULL, answer->reply[i]->line[k]);
			else
				puts(printable(answer->reply[i]->line[k]));
	if (options->json) {
		json_close(&json, ']');
		putchar('\n');
	}
}
