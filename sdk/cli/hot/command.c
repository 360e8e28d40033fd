/* SPDX-License-Identifier: MIT */
/* The program: found as execvp(3) finds it, executed as execvp(3) executes it. */
#include <errno.h>
#include <unistd.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"
#include "sdk/cli/hot/text.h"

static int try_path(const char *path);

void command_find(struct launch *l)
{
	const char *cmd = l->options->argv[0], *dirs = text_env(l->options->env, "PATH"), *end;
	struct text text;
	int ret, denied = 0;

	text_init(&text, l->path, sizeof(l->path));
	if (text_find(cmd, '/')) {
		text_add(&text, cmd);
		ret = text.cut ? -ENAMETOOLONG : try_path(l->path);
		if (ret == 0)
			return;
		text_init(&text, l->path, sizeof(l->path));
		text_error(&text, -ret);
		hot_fail(l, ret == -ENOENT || ret == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, cmd, ": ", l->path);
	}

	if (!dirs)
		dirs = "/bin:/usr/bin";
	for (; *cmd; dirs = end + 1) {
		text_init(&text, l->path, sizeof(l->path));
		for (end = dirs; *end && *end != ':'; end++)
			text_byte(&text, *end);
		if (end > dirs)
			text_byte(&text, '/'); /* an empty entry is the working directory */
		text_add(&text, cmd);
		ret = text.cut ? -ENAMETOOLONG : try_path(l->path);
		if (ret == 0)
			return;
		denied |= ret == -EACCES;
		if (!*end)
			break;
	}
	if (denied)
		hot_fail(l, EXIT_CANNOT_RUN, cmd, ": Permission denied");
	hot_fail(l, EXIT_NOT_FOUND, cmd, ": command not found");
}

/* 0, or why execve() would not even look at it. */
static int try_path(const char *path)
{
	struct stat st = {0};
	int ret = sys_stat(path, &st);

	if (ret == 0 && !S_ISREG(st.st_mode))
		ret = -EACCES;
	return ret < 0 ? ret : sys_access(path, X_OK);
}

void command_env(struct launch *l)
{
	static char line[PATH_BYTES + 16];
	char **from = l->options->env, **to;
	struct text text;
	size_t n = 0;

	l->env = from;
	if (!l->options->socket_given)
		return;

	text_init(&text, line, sizeof(line));
	text_add(&text, "WARM_SOCKET=");
	if (l->options->socket[0] != '/' && l->cwd[0] == '/') {
		text_add(&text, l->cwd);
		text_byte(&text, '/');
	}
	text_add(&text, l->options->socket);

	while (from[n])
		n++;
	to = l->env = sys_map((n + 2) * sizeof(*to));
	if (!to || text.cut)
		hot_fail(l, EXIT_WARM, "no memory for the environment; run it without --socket");
	for (; *from; from++)
		if (!text_starts(*from, "WARM_SOCKET="))
			*to++ = *from;
	*to = line;
}

/* Where there is no memory for it, the start is a plain one. */
void command_prepend_env(struct launch *l, const char *prefix)
{
	static char name[64]; /* with its = */
	char **from = l->env, **to, *line;
	const char *at = prefix, *value = NULL;
	struct text text;
	size_t n = 0, len = text_len(prefix);

	text_init(&text, name, sizeof(name));
	for (; *at && at[-(at > prefix)] != '='; at++)
		text_byte(&text, *at);
	for (; from[n]; n++)
		if (text_starts(from[n], name))
			value = from[n] + text_len(name);
	len += value ? text_len(value) : 0;
	to = sys_map((n + 2) * sizeof(*to));
	line = sys_map(len + 1);
	if (!to || !line || text.cut)
		return;

	text_init(&text, line, len + 1);
	text_add(&text, prefix);
	if (value)
		text_add(&text, value);
	else
		line[len - 1] = '\0'; /* the separator */
	l->env = to;
	for (; *from; from++)
		if (!text_starts(*from, name))
			*to++ = *from;
	*to = line;
}

void command_execute(struct launch *l)
{
	char **argv = l->options->argv, **script;
	size_t n = 0;
	int ret = sys_execve(l->path, argv, l->env);
	static char words[64];
	struct text text;

	if (ret == -ENOEXEC) {
		while (argv[n])
			n++;
		script = sys_map((n + 2) * sizeof(*script));
		if (script) {
			script[0] = (char *)"/bin/sh";
			script[1] = l->path;
			text_copy(script + 2, argv + 1, n * sizeof(*argv));
			sys_execve(script[0], script, l->env);
		}
	}
	if (ret == -ENOENT && try_path(l->path) == 0)
		hot_fail(l, EXIT_NOT_FOUND, l->path,
		         ": the interpreter that it names is not there: see its first line, or `readelf -l` it");
	text_init(&text, words, sizeof(words));
	text_error(&text, -ret);
	hot_fail(l, ret == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, l->path, ": ", words);
}
