/* SPDX-License-Identifier: MIT */
/* Where plugins are installed, and which of them are wanted. Private to plugins/. */
#ifndef WARM_PLUGINS_PLACE_H
#define WARM_PLUGINS_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct plugins_place;

#define PLUGIN_NAME_MAX 36 /* of its file, with the NUL */

struct plugin_names {
	char **name; /* without .so, in order */
	size_t n;
};

/* *ret_fd: the folder, -1 where there is none (and none was named). A folder that others than root may write is an
 * error. */
int place_open(const struct plugins_place *place, int *ret_fd, struct err *err);
int place_list(const struct plugins_place *place, int dir_fd, struct plugin_names *ret, struct err *err);
void plugin_names_fini(struct plugin_names *names);

bool place_is_off(const struct plugins_place *place, const char *name);
bool place_has(int dir_fd, const char *name);
void place_path(int dir_fd, const char *name, char *path, size_t size); /* for people */

/* Opens the file of one; it must be root's (or this user's) alone to write. */
int place_open_plugin(int dir_fd, const char *name, int *ret_fd, struct err *err);

#endif
