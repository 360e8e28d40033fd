/* SPDX-License-Identifier: MIT */
#include "warmd/cgroup.h"

#include "base/cgroup.h"
#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "warmd/daemon.h"
#include "warmd/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define MOUNTS_MAX (16u << 20)

int cgroups_read(int dir_fd, char text[CGROUP_TEXT_MAX])
{
	CLEAN(fd) int fd = openat(dir_fd, "cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	text[0] = '\0';
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno; /* a kernel without control groups */
	len = fd_read_full(fd, text, CGROUP_TEXT_MAX);
	if (len < 0)
		return (int)len;
	if (len == CGROUP_TEXT_MAX)
		return -E2BIG;
	text[len] = '\0';
	return 0;
}

static bool same_path(const struct cgroup_line *a, const struct cgroup_line *b)
{
	return a->n_path == b->n_path && !memcmp(a->path, b->path, a->n_path);
}

static int add_group(struct cgroups *groups, const char *mounts, const struct cgroup_line *line)
{
	char folder[PATH_MAX];
	int r = groups->n == SUP_GROUPS_MAX ? -E2BIG : cgroup_folder(mounts, line, folder, sizeof(folder));

	if (r)
		return r;
	groups->fd[groups->n] = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (groups->fd[groups->n] < 0)
		return -errno;
	groups->n++;
	return 0;
}

int cgroups_find(const struct machine *machine, const struct caller *caller, struct cgroups *ret, struct err *err)
{
	CLEAN(free) char *mounts = NULL;
	const char *text = caller->cgroup;
	struct cgroup_line line, own;
	int r;

	ret->n = 0;
	if (!strcmp(text, machine->cgroup))
		return 0;
	r = fd_read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX, &mounts, NULL);
	if (r)
		return err_sys(err, -r, "read the mount table");
	while (cgroup_next(&text, &line)) {
		if (cgroup_same(machine->cgroup, &line, &own) && same_path(&own, &line))
			continue;
		r = add_group(ret, mounts, &line);
		if (r)
			return err_set(err, -r, "control group %.*s:%.*s of the caller: %s (warmd is in another one)",
			               (int)line.n_controllers, line.controllers,
			               (int)(line.n_path < 100 ? line.n_path : 100), line.path, strerror(-r));
	}
	return 0;
}

void cgroups_fini(struct cgroups *groups)
{
	fd_close_all(groups->fd, groups->n);
	groups->n = 0;
}

int cgroups_probe(void)
{
	CLEAN(fd) int dir_fd = proc_open(getpid());
	CLEAN(free) char *mounts = NULL;
	char own[CGROUP_TEXT_MAX], folder[PATH_MAX];
	const char *text = own;
	struct cgroup_line line;
	bool seen = false;
	int r = dir_fd < 0 ? dir_fd : cgroups_read(dir_fd, own);

	if (!r)
		r = fd_read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX, &mounts, NULL);
	while (!r && cgroup_next(&text, &line)) {
		if (cgroup_folder(mounts, &line, folder, sizeof(folder)))
			continue; /* nobody here is in another group of it */
		CLEAN(fd) int group_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

		r = group_fd < 0 || faccessat(group_fd, "cgroup.procs", W_OK, AT_EACCESS) ? -errno : 0;
		seen = true;
	}
	return r || seen ? r : -ENODEV;
}
