/* SPDX-License-Identifier: MIT */
#include "warmd/config.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "policy/key.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_FILE_MAX        (256 * 1024)
#define DEFAULT_MAX_AGE_S      (14ull * 86400)
#define DEFAULT_BUDGET_PERCENT 25

/* A clone lives in a pid and mount namespace of its own: what shows or changes those of its caller cannot be one. */
static const char *const default_never_warm[] = {
        "sudo",   "su",     "doas",  "runuser", "login",   "newgrp",    "sg",          "pkexec",
        "ps",     "top",    "htop",  "atop",    "pgrep",   "pkill",     "kill",        "killall",
        "pidof",  "fuser",  "lsof",  "mount",   "umount",  "findmnt",   "losetup",     "podman",
        "docker", "runc",   "crun",  "conmon",  "buildah", "skopeo",    "nsenter",     "unshare",
        "lsns",   "ip",     "bwrap", "chroot",  "setpriv", "systemctl", "systemd-run", "gdb",
        "strace", "ltrace", "perf",  "criu",    "warm",    "warmd",     NULL,
};

static uint64_t memory_bytes(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void list_free(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

static char **list_copy(const char *const *list)
{
	size_t n = 0;
	char **copy;

	while (list[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(list[i]);
		if (!copy[i]) {
			list_free(copy);
			return NULL;
		}
	}
	return copy;
}

static bool interp_init(struct config_interp *interp)
{
	interp->prewarm = true;
	interp->preload = list_copy((const char *const[]){NULL});
	interp->keep_env = list_copy((const char *const[]){NULL});
	return interp->preload && interp->keep_env;
}

static void interp_fini(struct config_interp *interp)
{
	list_free(interp->preload);
	list_free(interp->keep_env);
	list_free(interp->env_from_launch);
	free(interp->identity);
}

int config_init(struct config *config, struct err *err)
{
	memset(config, 0, sizeof(*config));
	config->never_warm = list_copy(default_never_warm);
	config->ignore_env = list_copy(key_ignored_env);
	config->max_age_s = DEFAULT_MAX_AGE_S;
	config->record_opened = true;
	config->budget_bytes = memory_bytes() / 100 * DEFAULT_BUDGET_PERCENT;
	if (config->never_warm && config->ignore_env && interp_init(&config->python) && interp_init(&config->node) &&
	    interp_init(&config->java))
		return 0;
	config_fini(config);
	return err_set(err, ENOMEM, "out of memory");
}

void config_fini(struct config *config)
{
	list_free(config->never_warm);
	list_free(config->ignore_env);
	free(config->plugins_dir);
	free(config->plugins_off);
	interp_fini(&config->python);
	interp_fini(&config->node);
	interp_fini(&config->java);
	memset(config, 0, sizeof(*config));
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static int value_list(char *text, char ***list)
{
	size_t n = 0, room = strlen(text) / 2 + 2;
	const char **words = calloc(room, sizeof(*words));
	char **copy, *save = NULL;

	if (!words)
		return -ENOMEM;
	for (char *word = strtok_r(text, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save))
		words[n++] = word;
	copy = list_copy(words);
	free(words);
	if (!copy)
		return -ENOMEM;
	list_free(*list);
	*list = copy;
	return 0;
}

/* A number and one of the letters of `units`, each of which is worth the factor at its place. */
static int value_number(const char *text, const char *units, const uint64_t *factor, uint64_t *ret)
{
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno)
		return -errno;
	if (!*end)
		return 0;
	unit = strchr(units, *end);
	if (!unit || end[1] || __builtin_mul_overflow(*ret, factor[unit - units], ret))
		return -EINVAL;
	return 0;
}

static int value_age(char *text, uint64_t *ret)
{
	return value_number(text, "smhd", (const uint64_t[]){1, 60, 3600, 86400}, ret);
}

static int value_memory(char *text, uint64_t *ret)
{
	return value_number(text, "KMG%", (const uint64_t[]){1 << 10, 1 << 20, 1 << 30, memory_bytes() / 100}, ret);
}

static int value_bool(const char *text, bool *ret)
{
	*ret = !strcmp(text, "yes");
	return *ret || !strcmp(text, "no") ? 0 : -EINVAL;
}

static int value_random(const char *text, bool *ret_kept)
{
	*ret_kept = !strcmp(text, "keep");
	return *ret_kept || !strcmp(text, "renew") ? 0 : -EINVAL;
}

static int value_fork(const char *text, const char **ret)
{
	*ret = !strcmp(text, "always") ? "always" : !strcmp(text, "no") ? "no" : NULL;
	return *ret || !strcmp(text, "auto") ? 0 : -EINVAL;
}

static int value_huge(const char *text, enum huge_mode *ret)
{
	static const char *const words[] = {[HUGE_AUTO] = "auto", [HUGE_ALWAYS] = "always", [HUGE_NO] = "no"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(text, words[i])) {
			*ret = (enum huge_mode)i;
			return 0;
		}
	return -EINVAL;
}

static int value_path(const char *text, char **path)
{
	char *copy = *text == '/' ? strdup(text) : NULL;

	if (!copy)
		return *text == '/' ? -ENOMEM : -EINVAL;
	free(*path);
	*path = copy;
	return 0;
}

/* As a worker's command line has it. -EDOM: a file stands there. */
static int value_plugins(char *text, char **names)
{
	CLEAN(free) char *joined = malloc(strlen(text) + 1);
	char *save = NULL;
	size_t len = 0;

	if (!joined)
		return -ENOMEM;
	joined[0] = '\0';
	for (char *word = strtok_r(text, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save)) {
		if (strpbrk(word, "./")) /* no plugin has such a name */
			return -EDOM;
		len += (size_t)sprintf(joined + len, "%s%s", len ? "," : "", word);
	}
	free(*names);
	*names = take_ptr(joined);
	return 0;
}

/* -ENOENT: there is no such key. */
static int interp_set(struct config_interp *interp, const char *key, char *value)
{
	if (!strcmp(key, "prewarm"))
		return value_bool(value, &interp->prewarm);
	if (!strcmp(key, "preload"))
		return value_list(value, &interp->preload);
	if (!strcmp(key, "keep-env"))
		return value_list(value, &interp->keep_env);
	return -ENOENT;
}

/* -ENOENT: there is no such key. */
static int config_set(struct config *config, const char *section, const char *key, char *value)
{
	if (!strcmp(section, "exec") && !strcmp(key, "never-warm"))
		return value_list(value, &config->never_warm);
	if (!strcmp(section, "key") && !strcmp(key, "ignore-env"))
		return value_list(value, &config->ignore_env);
	if (!strcmp(section, "python"))
		return interp_set(&config->python, key, value);
	if (!strcmp(section, "node"))
		return interp_set(&config->node, key, value);
	if (!strcmp(section, "java"))
		return interp_set(&config->java, key, value);
	if (!strcmp(section, "cache") && !strcmp(key, "max-age"))
		return value_age(value, &config->max_age_s);
	if (!strcmp(section, "pool") && !strcmp(key, "budget"))
		return value_memory(value, &config->budget_bytes);
	if (!strcmp(section, "pool") && !strcmp(key, "huge-pages"))
		return value_huge(value, &config->huge);
	if (!strcmp(section, "snapshot") && !strcmp(key, "record-opened"))
		return value_bool(value, &config->record_opened);
	if (!strcmp(section, "snapshot") && !strcmp(key, "random"))
		return value_random(value, &config->random_kept);
	if (!strcmp(section, "snapshot") && !strcmp(key, "fork"))
		return value_fork(value, &config->fork);
	if (!strcmp(section, "plugins") && !strcmp(key, "dir"))
		return value_path(value, &config->plugins_dir);
	if (!strcmp(section, "plugins") && !strcmp(key, "disable"))
		return value_plugins(value, &config->plugins_off);
	return -ENOENT;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len && strchr(" \t\r", text[len - 1]))
		text[--len] = '\0';
	return text;
}

int config_parse(struct config *config, const char *name, char *text, struct err *err)
{
	char section[32] = "";
	int number = 0;

	for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
		char *value, *key;
		int r;

		number++;
		key = trim(line);
		if (!*key || *key == '#' || *key == ';')
			continue;
		if (*key == '[' && key[strlen(key) - 1] == ']' && strlen(key) - 2 < sizeof(section)) {
			memcpy(section, key + 1, strlen(key) - 2);
			section[strlen(key) - 2] = '\0';
			continue;
		}
		value = strchr(key, '=');
		if (!value)
			return err_set(err, EINVAL, "%s:%d: neither [section] nor key = value: %s", name, number, key);
		*value++ = '\0';
		key = trim(key);
		value = trim(value);
		r = config_set(config, section, key, value);
		if (r == -ENOENT)
			return err_set(err, EINVAL, "%s:%d: unknown key %s in [%s]", name, number, key, section);
		if (r == -EDOM)
			return err_set(err, EINVAL,
			               "%s:%d: %s: a plugin is named without its folder and .so: jvm, not jvm.so", name,
			               number, key);
		if (r)
			return err_set(err, EINVAL, "%s:%d: %s: not understood: %s", name, number, key, value);
	}
	return 0;
}

int config_read(struct config *config, const char *path, bool must_exist, struct err *err)
{
	CLEAN(free) char *text = NULL;
	int r = fd_read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX, &text, NULL);

	if (r == -ENOENT && !must_exist)
		return 0;
	if (r)
		return err_sys(err, -r, "configuration %s", path);
	return config_parse(config, path, text, err);
}

size_t config_plugin_args(const struct config *config, const char **argv)
{
	size_t n = 0;

	if (config->plugins_dir) {
		argv[n++] = "--plugins";
		argv[n++] = config->plugins_dir;
	}
	if (config->plugins_off && *config->plugins_off) {
		argv[n++] = "--plugins-off";
		argv[n++] = config->plugins_off;
	}
	argv[n] = NULL;
	return n;
}

/* ---- what follows from it ---------------------------------------------------------------------------------------- */

static char *joined(const char *name, const struct config_interp *interp)
{
	char *text = strdup(name);

	for (int i = 0; i < 2; i++) {
		char **list = i ? interp->keep_env : interp->preload;

		for (; text && *list; list++) {
			char *longer = NULL;

			if (asprintf(&longer, "%s %s%s", text, i ? "$" : "", *list) < 0)
				longer = NULL;
			free(text);
			text = longer;
		}
	}
	return text;
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

/* All but what the interpreter, and what is loaded into it, look at. */
static int settle_env(struct config_interp *interp, const char *const *own)
{
	const char *const *list[] = {own, (const char *const *)interp->keep_env};
	char **env = calloc(count(list[0]) + count(list[1]) + 2, sizeof(*env));
	size_t n = 0;

	if (!env)
		return -ENOMEM;
	for (int i = 0; i < 2; i++) {
		for (const char *const *name = list[i]; *name; name++) {
			if (asprintf(&env[n++], "!%s", *name) < 0)
				return -ENOMEM; /* the process is out of memory: a leak is the least of it */
		}
	}
	env[n++] = strdup("*");
	list_free(interp->env_from_launch);
	interp->env_from_launch = env;
	interp->n_env_from_launch = n;
	return env[n - 1] ? 0 : -ENOMEM;
}

static int interp_settle(struct config_interp *interp, const char *name)
{
	free(interp->identity);
	interp->identity = joined(name, interp);
	return interp->identity ? settle_env(interp, interp_of(name)->env) : -ENOMEM;
}

int config_settle(struct config *config, struct err *err)
{
	if (interp_settle(&config->python, "python") || interp_settle(&config->node, "node") ||
	    interp_settle(&config->java, "java"))
		return err_set(err, ENOMEM, "out of memory");
	return 0;
}

struct config_interp *config_interp(struct config *config, enum interp_kind kind)
{
	switch (kind) {
	case INTERP_NODE:
		return &config->node;
	case INTERP_JAVA:
		return &config->java;
	default:
		return &config->python;
	}
}

bool config_never_warm(const struct config *config, const char *cmd)
{
	const char *slash = strrchr(cmd, '/'), *base = slash ? slash + 1 : cmd;

	for (char **name = config->never_warm; *name; name++) {
		if (!strcmp(*name, base))
			return true;
	}
	return false;
}
