/* SPDX-License-Identifier: MIT */
#include "plugins/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "plugins/plugins.h"

#define SUFFIX     ".so"
#define NAME_LIMIT (PLUGIN_NAME_MAX - sizeof(SUFFIX)) /* letters of a plugin's name */
#define OWN_IT     "chown root, chmod go-w"

/* Its code runs with the worker's rights: only those may have written it who could change the worker itself. */
static bool trusted(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* ---- the folder ------------------------------------------------------------------------------------------------- */

static int open_default(void)
{
	static const char *const below[] = {"plugins", "../../lib/warm/plugins"};
	char path[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (len < 0)
		return -errno;
	path[len] = '\0';
	slash = strrchr(path, '/');
	for (size_t i = 0; slash && i < sizeof(below) / sizeof(below[0]); i++) {
		int fd;

		strcpy(slash + 1, below[i]);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			return fd >= 0 ? fd : -errno;
	}
	return -ENOENT;
}

int place_open(const struct plugins_place *place, int *ret_fd, struct err *err)
{
	const char *name = place->dir ? place->dir : "the folder of plugins";
	CLEAN(fd) int fd = place->dir ? open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : open_default();
	struct stat st;

	*ret_fd = -1;
	if (fd == -ENOENT && !place->dir)
		return 0;
	if (fd < 0)
		return err_sys(err, place->dir ? errno : -fd, "plugins: %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "plugins: %s", name);
	if (!trusted(&st))
		return err_refuse(err, OWN_IT,
		                  "plugins: %s can be written by others than root: nothing in it is loaded", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* ---- what is in it ---------------------------------------------------------------------------------------------- */

bool place_is_off(const struct plugins_place *place, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = place->off; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == len && strncmp(at, name, len) == 0)
			return true;
	return false;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_plugin(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return len > suffix && len - suffix <= NAME_LIMIT && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + len - suffix, SUFFIX) == 0;
}

int place_list(const struct plugins_place *place, int dir_fd, struct plugin_names *ret, struct err *err)
{
	struct dirent **entry = NULL;
	int n = scandirat(dir_fd, ".", &entry, is_plugin, by_name);
	int r = n < 0 ? err_sys(err, errno, "the folder of plugins") : 0;

	*ret = (struct plugin_names){.name = calloc(n > 0 ? (size_t)n : 1, sizeof(char *))};
	if (r == 0 && !ret->name)
		r = err_sys(err, ENOMEM, "plugins");
	for (int i = 0; i < n; i++) {
		entry[i]->d_name[strlen(entry[i]->d_name) - strlen(SUFFIX)] = '\0';
		if (r == 0 && !place_is_off(place, entry[i]->d_name)) {
			ret->name[ret->n] = strdup(entry[i]->d_name);
			r = ret->name[ret->n] ? 0 : err_sys(err, ENOMEM, "plugins");
			ret->n += r == 0;
		}
		free(entry[i]);
	}
	free(entry);
	return r;
}

void plugin_names_fini(struct plugin_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct plugin_names){0};
}

/* ---- one of them ------------------------------------------------------------------------------------------------ */

/* A name comes from an image, too: it must not lead out of the folder. */
static int file_name(const char *name, char *ret, size_t size)
{
	if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > NAME_LIMIT)
		return -EINVAL;
	snprintf(ret, size, "%s%s", name, SUFFIX);
	return 0;
}

bool place_has(int dir_fd, const char *name)
{
	char file[PLUGIN_NAME_MAX];

	return file_name(name, file, sizeof(file)) == 0 && faccessat(dir_fd, file, F_OK, 0) == 0;
}

void place_path(int dir_fd, const char *name, char *path, size_t size)
{
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	len = readlink(link, path, size - 1);
	if (len < 0)
		len = 0;
	snprintf(path + len, size - (size_t)len, "/%s%s", name, SUFFIX);
}

int place_open_plugin(int dir_fd, const char *name, int *ret_fd, struct err *err)
{
	char file[PLUGIN_NAME_MAX];
	CLEAN(fd) int fd = -1;
	struct stat st;
	int r = file_name(name, file, sizeof(file));

	if (r < 0)
		return err_sys(err, -r, "plugin %s", name);
	fd = openat(dir_fd, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "plugin %s", name);
	if (!S_ISREG(st.st_mode) || !trusted(&st))
		return err_refuse(err, OWN_IT, "plugin %s can be written by others than root: it is not loaded", name);
	*ret_fd = take_fd(&fd);
	return 0;
}
