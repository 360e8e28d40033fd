/* SPDX-License-Identifier: MIT */
/* `warm exec` where the entry point (hot/) declined: a terminal to relay, no daemon that answers, or a first run that
 * somebody has to stand behind. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/cli/exec.h"
#include "sdk/cli/first_run.h"
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/terminal.h"

static const char *why_cold(struct exec_options *options, const char *path, int err);

void exec_run(struct exec_options *options)
{
	static char path[PATH_BYTES];
	struct exec_relay *relay;
	int fd, ret;

	if (hot_undone)
		first_run(hot_undone);
	options->started_ns = hot_started_ns;
	if (hot_socket_path(options->socket, options->env, path) < 0)
		hot_exec_cold(options, "the socket's path is too long");
	fd = hot_connect(path);
	if (fd < 0)
		hot_exec_cold(options, why_cold(options, path, -fd));
	ret = terminal_open(&relay);
	if (ret < 0)
		hot_exec_cold(options, "no pseudo-terminal could be opened");
	first_run(hot_exec(options, fd, relay));
}

static const char *why_cold(struct exec_options *options, const char *path, int err)
{
	static char reason[PATH_BYTES + 64];
	const char *words = strerror(err);

	if (err == ENOENT || err == ECONNREFUSED || err == ENOTDIR) {
		words = "no daemon answers";
		/* One that was named is somebody's own: nobody knows here which cache belongs to it, but for WARM_ROOT.
		 */
		if (options->socket && !getenv("WARM_ROOT"))
			words = "no daemon answers: start it with `warmd --root DIR --socket PATH`";
		else if (!(options->flags & LAUNCH_REQUIRE))
			words = daemon_start(path) == 0 ? "no daemon was running: one was started"
			                                : "no daemon is running and none could be started";
	} else if (err == EAGAIN) {
		words = "the daemon has too much to do";
	} else if (err == EPERM) {
		words = "the daemon belongs to another user";
	}
	snprintf(reason, sizeof(reason), "%s: %s", path, words);
	return reason;
}
