/* SPDX-License-Identifier: MIT */
/*
 * Control groups, of either version: which ones a process is in (/proc/PID/cgroup), and where they are seen
 * (/proc/PID/mountinfo). cgroups(7)
 */
#ifndef WARM_BASE_CGROUP_H
#define WARM_BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/* One line, which points into the text: "4:memory:/a/b". Controllers are "" in version 2, "name=..." without one. */
struct cgroup_line {
	const char *controllers, *path;
	size_t n_controllers, n_path;
};

/* Moves *text behind the line. False at the end, or where that is no such line. */
bool cgroup_next(const char **text, struct cgroup_line *ret);

/* The group in which `text` has the same hierarchy; false: in none. */
bool cgroup_same(const char *text, const struct cgroup_line *line, struct cgroup_line *ret);

/* The folder of this group. 0; -ENODEV: its hierarchy is mounted nowhere; -EXDEV: it is, but for a part of it that does
 * not have this group; -ENAMETOOLONG. */
int cgroup_folder(const char *mountinfo, const struct cgroup_line *line, char *ret, size_t size);

#endif
