/* SPDX-License-Identifier: MIT */
#include "warmd/options.h"

#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void user_place(char path[PATH_MAX], const char *variable, const char *below_home, const char *rest)
{
	const char *dir = getenv(variable), *home = getenv("HOME");

	if (dir && *dir == '/')
		snprintf(path, PATH_MAX, "%s/%s", dir, rest);
	else if (home && *home == '/' && below_home)
		snprintf(path, PATH_MAX, "%s/%s/%s", home, below_home, rest);
	else
		snprintf(path, PATH_MAX, "/tmp/warm-%u/%s", geteuid(),
		         strrchr(rest, '/') ? strrchr(rest, '/') + 1 : rest);
}

static void defaults(struct options *options)
{
	if (geteuid() == 0) {
		strcpy(options->root, "/var/lib/warm");
		strcpy(options->socket, "/run/warm/warmd.sock");
		strcpy(options->config, "/etc/warm/warmd.conf");
	} else {
		user_place(options->root, "XDG_CACHE_HOME", ".cache", "warm");
		user_place(options->socket, "XDG_RUNTIME_DIR", NULL, "warm/warmd.sock");
		user_place(options->config, "XDG_CONFIG_HOME", ".config", "warm/warmd.conf");
	}
}

static int absolute(char path[PATH_MAX], const char *given, struct err *err)
{
	char cwd[PATH_MAX] = "";

	if (*given != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_sys(err, errno, "current directory");
	if (snprintf(path, PATH_MAX, "%s%s%s", cwd, *cwd ? "/" : "", given) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "%s: too long a path", given);
	return 0;
}

int options_parse(struct options *options, int argc, char **argv, struct err *err)
{
	enum { ROOT = 1, SOCKET, CONFIG, FOREGROUND, EMBEDDED, SPAWN_FD, READY_FD, HELP, VERSION };
	static const struct option list[] = {
	        {"root", required_argument, NULL, ROOT},         {"socket", required_argument, NULL, SOCKET},
	        {"config", required_argument, NULL, CONFIG},     {"foreground", no_argument, NULL, FOREGROUND},
	        {"embedded", no_argument, NULL, EMBEDDED},       {"spawn-fd", required_argument, NULL, SPAWN_FD},
	        {"ready-fd", required_argument, NULL, READY_FD}, {"help", no_argument, NULL, HELP},
	        {"version", no_argument, NULL, VERSION},         {NULL, 0, NULL, 0},
	};
	const char *socket = getenv("WARM_SOCKET");
	char standard[PATH_MAX];
	int option, r = 0;

	memset(options, 0, sizeof(*options));
	options->spawn_fd = options->ready_fd = -1;
	defaults(options);
	strcpy(standard, options->socket);
	if (socket && *socket)
		r = absolute(options->socket, socket, err);

	while (!r && (option = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (option) {
		case ROOT:
			r = absolute(options->root, optarg, err);
			break;
		case SOCKET:
			r = absolute(options->socket, optarg, err);
			break;
		case CONFIG:
			options->config_given = true;
			r = absolute(options->config, optarg, err);
			break;
		case FOREGROUND:
			options->foreground = true;
			break;
		case EMBEDDED:
			options->embedded = true;
			break;
		case SPAWN_FD:
			options->spawn_fd = atoi(optarg);
			break;
		case READY_FD:
			options->ready_fd = atoi(optarg);
			break;
		case HELP:
			options->help = true;
			break;
		case VERSION:
			options->version = true;
			break;
		default:
			return err_set(err, EINVAL, "wrong usage"); /* getopt has said what */
		}
	}
	if (!r && optind < argc)
		return err_set(err, EINVAL, "wrong usage: %s", argv[optind]);
	options->socket_default = !strcmp(options->socket, standard);
	return r;
}

void options_usage(void)
{
	puts("usage: warmd [--root DIR] [--socket PATH] [--config FILE] [--foreground]\n"
	     "\n"
	     "Keeps snapshots of programs and launches them. `warm exec CMD` uses it; `warm doctor` says what works "
	     "here.");
}
