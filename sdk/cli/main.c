/* SPDX-License-Identifier: MIT */
/* `warm`, once libc runs: a plain `warm exec` never comes here (hot/start.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sdk/cli/exec.h"
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/verbs.h"

static const char usage[] =
        "usage: warm [--socket PATH] [--json] VERB …\n"
        "\n"
        "  exec [OPTIONS] [--] CMD [ARG…]   run CMD: from a snapshot where there is one, else cold, and take one when "
        "it is ready\n"
        "      --name N          a label for the snapshot\n"
        "      --ready HOW       sdk (default), listen:PORT, stdout:TEXT, after:SECONDS\n"
        "      --cold            do not use a snapshot\n"
        "      --net host|private\n"
        "      --require         fail instead of starting cold\n"
        "      --explain         one JSON line on standard error: what served the launch, and why nothing hotter\n"
        "  snapshot PID [--name N] [--stop] snapshot a running process without its help; with --stop it ends then\n"
        "  ls                               the snapshots\n"
        "  show SNAP                        all about one: an id, the beginning of one, or a name\n"
        "  rm SNAP…                         remove snapshots\n"
        "  gc                               remove what is stale, damaged or left over\n"
        "  verify [SNAP…]                   read images and check every byte\n"
        "  plan SNAP                        the operations that restore it\n"
        "  pool [SNAP [N]]                  show or pin the number of standbys\n"
        "  stats [--prometheus]             counters and latencies\n"
        "  doctor                           what this kernel and this user can do\n"
        "  restore SNAP                     not in this version\n";

static const struct {
	const char *name;
	int (*run)(const struct options *options, int n, char **arg);
} verbs[] = {
        {"ls", verb_ls},         {"show", verb_show},         {"rm", verb_rm},           {"gc", verb_gc},
        {"verify", verb_verify}, {"plan", verb_plan},         {"pool", verb_pool},       {"stats", verb_stats},
        {"doctor", verb_doctor}, {"snapshot", verb_snapshot}, {"restore", verb_restore},
};

static int wrong_option(char *word);
static int wrong_exec(const struct exec_options *options);
static int run_verb(const struct options *options, int n, char **arg);

int main(int argc, char **argv)
{
	static struct exec_options exec;
	struct options options = {0};
	enum options_kind kind = options_parse(argv, environ, &exec);
	int i;

	if (kind == OPTIONS_EXEC)
		exec_run(&exec);
	if (kind == OPTIONS_WRONG)
		return wrong_exec(&exec);

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			options.json = true;
		} else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc) {
			options.socket = argv[++i];
		} else if (strncmp(argv[i], "--socket=", 9) == 0) {
			options.socket = argv[i] + 9;
		} else if (strcmp(argv[i], "--version") == 0) {
			return puts("warm " WARM_VERSION) < 0;
		} else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			return fputs(usage, stdout) < 0;
		} else {
			return wrong_option(argv[i]);
		}
	}
	if (i == argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return run_verb(&options, argc - i, argv + i);
}

static int wrong_option(char *word)
{
	fprintf(stderr, "warm: unknown option %s: see `warm --help`\n", printable(word));
	return EXIT_USAGE;
}

static int wrong_exec(const struct exec_options *options)
{
	fprintf(stderr, "warm: exec: %s%s: see `warm --help`\n", options->problem,
	        options->problem_with ? options->problem_with : "");
	return EXIT_WARM;
}

/* Options may also stand behind the verb. */
static int run_verb(const struct options *given, int n, char **arg)
{
	struct options options = *given;
	const char *verb = arg[0];
	int n_left = 0;

	if (!options.socket)
		options.socket = getenv("WARM_SOCKET");
	if (options.socket && !*options.socket)
		options.socket = NULL;
	for (int i = 1; i < n; i++) {
		if (strcmp(arg[i], "--help") == 0 || strcmp(arg[i], "-h") == 0)
			return fputs(usage, stdout) < 0;
		if (strcmp(arg[i], "--json") == 0)
			options.json = true;
		else
			arg[n_left++] = arg[i];
	}

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, verb) == 0) {
			int ret = verbs[i].run(&options, n_left, arg);

			if (fflush(stdout) != 0 && ret == 0)
				ret = 1;
			return ret;
		}
	if (strcmp(verb, "exec") == 0)
		return fputs(usage, stdout) < 0;
	fprintf(stderr, "warm: unknown verb %s: see `warm --help`\n", printable(arg[0]));
	return EXIT_USAGE;
}
