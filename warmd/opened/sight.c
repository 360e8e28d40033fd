/* SPDX-License-Identifier: MIT */
/* What is watched: the file systems of the mount table. */
#include "warmd/opened/sight.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/uapi.h"
#include "warmd/opened/mounts.h"
#include "warmd/opened/sight_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOUNTS      "/proc/self/mountinfo"
#define MOUNTS_SIZE (16u << 20)

/* Read or written; a program, early enough to ask whose child it is. */
#define FILE_EVENTS (FAN_ACCESS | FAN_CLOSE_NOWRITE | FAN_CLOSE_WRITE | FAN_MODIFY | FAN_OPEN_EXEC | FAN_ONDIR)

/* ... and names that come and go in a directory that was read. Those need handles. */
#define ALL_EVENTS (FILE_EVENTS | FAN_ATTRIB | NAMES)

/* ---- one file system --------------------------------------------------------------------------------------------- */

static int mark(int group, uint64_t events, const char *path)
{
	return fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, events, AT_FDCWD, path) ? -errno : 0;
}

/* A handle that cannot be opened again names nothing. */
static int try_handle(const char *path)
{
	union handle at = {.handle = {.handle_bytes = HANDLE_ROOM}};
	CLEAN(fd) int root = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	CLEAN(fd) int again = -1;
	int id;

	if (root < 0 || name_to_handle_at(root, "", &at.handle, &id, AT_EMPTY_PATH))
		return -errno;
	again = open_by_handle_at(root, &at.handle, O_PATH | O_CLOEXEC);
	return again < 0 ? -errno : 0;
}

static int watch_by_handles(struct sight *sight, const struct mount_line *line)
{
	struct watched *more;
	struct statfs fs;
	int r = mark(sight->fd, ALL_EVENTS, line->path);

	if (!r && statfs(line->path, &fs))
		r = -errno;
	if (!r)
		r = try_handle(line->path);
	if (r)
		return r;
	more = reallocarray(sight->mount, sight->n_mounts + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	sight->mount = more;
	more = &more[sight->n_mounts];
	*more = (struct watched){.whole = !strcmp(line->root, "/"), .path = strdup(line->path)};
	memcpy(&more->fsid, &fs.f_fsid, sizeof(more->fsid));
	if (!more->path)
		return -ENOMEM;
	sight->n_mounts++;
	return 0;
}

/* Linux 6.13: before, an event whose file could not be opened got lost. */
static int watch_root_by_descriptors(struct sight *sight, const struct mount_line *line)
{
	union handle root;
	int r;

	if (sight->by_fd < 0)
		sight->by_fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FD_ERROR,
		                             O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (sight->by_fd < 0)
		return -errno;
	r = handle_of_file(AT_FDCWD, "/", &root);
	if (!r)
		r = mark(sight->by_fd, FILE_EVENTS, "/");
	sight->root_by_fd = !r;
	snprintf(sight->root_device, sizeof(sight->root_device), "%s", line->device);
	return r;
}

static int add_blind(struct sight *sight, const struct mount_line *line, int error)
{
	struct blind *more = reallocarray(sight->blind, sight->n_blind + 1, sizeof(*more));
	char *words;

	if (!more)
		return -ENOMEM;
	sight->blind = more;
	if (asprintf(&words, "%s (%s): %s", line->path, line->type, strerror(error)) < 0)
		return -ENOMEM;
	more = &more[sight->n_blind++];
	*more = (struct blind){.mount_id = line->id, .words = words};
	snprintf(more->device, sizeof(more->device), "%s", line->device);
	return 0;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* By another mount in the same place. */
static bool hidden(const struct mount_line *line)
{
	struct statx st;

	return !statx(AT_FDCWD, line->path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) &&
	       st.stx_mask & STATX_MNT_ID && st.stx_mnt_id != line->id;
}

static int watch_mount(struct sight *sight, const struct mount_line *line)
{
	int r;

	if (hidden(line))
		return 0;
	r = watch_by_handles(sight, line);
	if (r && r != -ENOMEM && !strcmp(line->path, "/"))
		r = watch_root_by_descriptors(sight, line);
	if (!r || r == -ENOENT || r == -ENOTDIR) /* hidden under a mount above it, or gone by now */
		return 0;
	return r == -ENOMEM ? r : add_blind(sight, line, -r);
}

/* What is mounted elsewhere of a root file system that is watched is watched with it. */
static void drop_parts_of_root(struct sight *sight)
{
	size_t kept = 0;

	for (size_t i = 0; i < sight->n_blind; i++) {
		if (sight->root_by_fd && !strcmp(sight->blind[i].device, sight->root_device))
			free(sight->blind[i].words);
		else
			sight->blind[kept++] = sight->blind[i];
	}
	sight->n_blind = kept;
}

static void forget_mounts(struct sight *sight)
{
	for (size_t i = 0; i < sight->n_mounts; i++)
		free(sight->mount[i].path);
	for (size_t i = 0; i < sight->n_blind; i++)
		free(sight->blind[i].words);
	free(sight->mount);
	free(sight->blind);
	sight->mount = NULL;
	sight->blind = NULL;
	sight->n_mounts = sight->n_blind = 0;
	sight->root_by_fd = false;
}

static int read_mounts(struct sight *sight, struct err *err)
{
	CLEAN(free) char *text = NULL;
	struct mount_line line;
	char *at;
	int r = fd_read_file_at(AT_FDCWD, MOUNTS, MOUNTS_SIZE, &text, NULL);

	if (r)
		return err_sys(err, -r, "read %s", MOUNTS);
	forget_mounts(sight);
	for (at = text; !r && mounts_next(&at, &line);)
		r = watch_mount(sight, &line);
	drop_parts_of_root(sight);
	sight->known = !r;
	return r ? err_sys(err, -r, "watch the files that are opened") : 0;
}

int sight_on(struct sight *sight, struct err *err)
{
	bool same = sight->known;

	for (size_t i = 0; same && i < sight->n_mounts; i++)
		same = !mark(sight->fd, ALL_EVENTS, sight->mount[i].path);
	if (same && sight->root_by_fd)
		same = !mark(sight->by_fd, FILE_EVENTS, "/");
	return same ? 0 : read_mounts(sight, err);
}

void sight_mounts_changed(struct sight *sight)
{
	sight->known = false;
}

void sight_off(struct sight *sight)
{
	fanotify_mark(sight->fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, "/");
	if (!sight->root_by_fd)
		return;
	fanotify_mark(sight->fd, FAN_MARK_FLUSH, 0, AT_FDCWD, "/"); /* directories whose names were watched */
	fanotify_mark(sight->by_fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, "/");
}

int sight_watch_names(const struct sight *sight, const struct seen *seen)
{
	if (seen->fd < 0)
		return 1;
	return fanotify_mark(sight->fd, FAN_MARK_ADD, NAMES | FAN_ONDIR, seen->fd, NULL) ? -errno : 0;
}

const struct blind *sight_blind(const struct sight *sight, size_t *ret_n)
{
	*ret_n = sight->n_blind;
	return sight->blind;
}

bool sight_root_by_descriptors(const struct sight *sight)
{
	return sight->root_by_fd;
}

/* ---- the groups -------------------------------------------------------------------------------------------------- */

int sight_new(struct sight **ret, struct err *err)
{
	struct sight *sight = calloc(1, sizeof(*sight));

	if (!sight)
		return err_set(err, ENOMEM, "out of memory");
	sight->by_fd = -1;
	sight->mounts_fd = open(MOUNTS, O_RDONLY | O_CLOEXEC);
	sight->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DFID_NAME,
	                          0);
	if (sight->fd < 0 || sight->mounts_fd < 0) {
		int r = err_sys(err, errno, "fanotify");

		sight_free(sight);
		return r;
	}
	*ret = sight;
	return 0;
}

void sight_free(struct sight *sight)
{
	if (!sight)
		return;
	forget_mounts(sight);
	clean_fd(&sight->fd);
	clean_fd(&sight->by_fd);
	clean_fd(&sight->mounts_fd);
	free(sight);
}

void sight_fds(const struct sight *sight, int ret[2])
{
	ret[0] = sight->fd;
	ret[1] = sight->by_fd;
}

int sight_mounts_fd(const struct sight *sight)
{
	return sight->mounts_fd;
}
