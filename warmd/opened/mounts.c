/* SPDX-License-Identifier: MIT */
#include "warmd/opened/mounts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What is read there comes from no file. */
static bool pseudo(const char *type)
{
	static const char *const types[] = {
	        "proc",      "sysfs",   "devtmpfs",   "devpts",   "cgroup",      "cgroup2",    "mqueue",
	        "debugfs",   "tracefs", "securityfs", "pstore",   "bpf",         "configfs",   "fusectl",
	        "hugetlbfs", "autofs",  "nsfs",       "efivarfs", "binfmt_misc", "rpc_pipefs", "selinuxfs",
	        "smackfs",   "resctrl", "nfsd",       "binder",   "functionfs",  "ramfs_kmsg"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (!strcmp(type, types[i]))
			return true;
	}
	return false;
}

/* \040 and its like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* id, parent, device, root, mount point, options..., "-", type, ... */
static bool parse(char *line, struct mount_line *ret)
{
	char *save = NULL, *word = strtok_r(line, " ", &save), *root = NULL, *path = NULL;

	if (!word)
		return false;
	ret->id = strtoull(word, NULL, 10);
	for (unsigned i = 0; word; word = strtok_r(NULL, " ", &save), i++) {
		if (i == 2)
			ret->device = word;
		else if (i == 3)
			root = word;
		else if (i == 4)
			path = word;
		else if (i > 5 && !strcmp(word, "-"))
			break;
	}
	ret->type = word ? strtok_r(NULL, " ", &save) : NULL;
	if (!ret->type)
		return false;
	unescape(root);
	unescape(path);
	ret->root = root;
	ret->path = path;
	return true;
}

bool mounts_next(char **text, struct mount_line *ret)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		if (parse(line, ret) && !pseudo(ret->type) && strcmp(ret->path, "/dev") != 0)
			return true;
	}
	return false;
}
