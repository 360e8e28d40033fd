/* SPDX-License-Identifier: MIT */
/* What is told: events, the objects that they are about, and the names of those. */
#include "warmd/opened/sight.h"

#include "base/clean.h"
#include "base/uapi.h"
#include "warmd/opened/sight_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define GONE         " (deleted)"
#define OPEN_AT_ONCE 64 /* files, by events with descriptors: there is a limit */

/* ---- objects ----------------------------------------------------------------------------------------------------- */

int handle_of_file(int fd, const char *name, union handle *ret)
{
	const int flags = *name ? 0 : AT_EMPTY_PATH;
	int id;

	ret->handle.handle_bytes = HANDLE_ROOM;
	if (!name_to_handle_at(fd, name, &ret->handle, &id, flags))
		return 0;
	/* Linux 6.6, overlay: one that names the object but opens nothing. */
	ret->handle.handle_bytes = HANDLE_ROOM;
	if (errno == EOPNOTSUPP && !name_to_handle_at(fd, name, &ret->handle, &id, flags | AT_HANDLE_FID))
		return 0;
	return -errno;
}

static void name_object(struct digest *object, const void *fsid, const struct file_handle *handle)
{
	digest_init(object);
	digest_add(object, fsid, sizeof(__kernel_fsid_t));
	digest_add(object, &handle->handle_type, sizeof(handle->handle_type));
	digest_add(object, handle->f_handle, handle->handle_bytes);
}

int sight_object(const char *path, struct digest *ret)
{
	union handle at;
	struct statfs fs;
	int r = handle_of_file(AT_FDCWD, path, &at);

	if (!r && statfs(path, &fs))
		r = -errno;
	if (!r)
		name_object(ret, &fs.f_fsid, &at.handle);
	return r;
}

static int object_of_open(int fd, struct digest *ret)
{
	union handle at;
	struct statfs fs;
	int r = handle_of_file(fd, "", &at);

	if (!r && fstatfs(fd, &fs))
		r = -errno;
	if (!r)
		name_object(ret, &fs.f_fsid, &at.handle);
	return r;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static const struct file_handle *handle_of(const struct fanotify_event_info_fid *info)
{
	return (const struct file_handle *)info->handle;
}

/* The object is the file, in an event about names the directory; where it is, the directory's handle and a name. */
static bool understand(const struct fanotify_event_metadata *event, struct seen *seen)
{
	const struct fanotify_event_info_fid *object = NULL, *place = NULL;
	const char *end = (const char *)event + event->event_len;

	for (const char *at = (const char *)event + event->metadata_len;
	     at + sizeof(struct fanotify_event_info_header) <= end;) {
		const struct fanotify_event_info_fid *info = (const struct fanotify_event_info_fid *)at;

		if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_FID)
			object = info;
		else if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME)
			place = info;
		if (!info->hdr.len)
			break;
		at += info->hdr.len;
	}
	if (!object || event->mask & NAMES)
		object = place;
	if (!object)
		return false;
	*seen = (struct seen){.pid = event->pid, .mask = event->mask, .where = place, .fd = -1};
	name_object(&seen->object, &object->fsid, handle_of(object));
	return true;
}

/* The descriptor is closed behind it, whatever comes. */
static bool understand_open(const struct fanotify_event_metadata *event, struct seen *seen)
{
	*seen = (struct seen){.pid = event->pid, .mask = event->mask, .fd = event->fd};
	seen->error = event->fd < 0 ? -event->fd : -object_of_open(event->fd, &seen->object);
	return true;
}

static int read_group(int group, bool by_fd, unsigned max, void (*fn)(void *arg, const struct seen *seen), void *arg)
{
	char buf[65536] __attribute__((aligned(__alignof__(struct fanotify_event_metadata))));
	const size_t size = by_fd ? OPEN_AT_ONCE * sizeof(struct fanotify_event_metadata) : sizeof(buf);
	int ret = 0;

	for (unsigned n = 0; n < max;) {
		ssize_t len = read(group, buf, size);
		const struct fanotify_event_metadata *event = (const struct fanotify_event_metadata *)buf;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? ret : -errno;
		for (; FAN_EVENT_OK(event, len); event = FAN_EVENT_NEXT(event, len), n++) {
			struct seen seen;

			if (event->vers != FANOTIFY_METADATA_VERSION)
				return -EPROTO;
			if (event->mask & FAN_Q_OVERFLOW)
				ret = SIGHT_OVERFLOW;
			else if (by_fd ? understand_open(event, &seen) : understand(event, &seen))
				fn(arg, &seen);
			clean_fd(&event->fd);
		}
	}
	return ret ? ret : -EAGAIN;
}

int sight_read(struct sight *sight, unsigned max, void (*fn)(void *arg, const struct seen *seen), void *arg)
{
	int r = read_group(sight->fd, false, max, fn, arg), other = 0;

	if (sight->by_fd >= 0)
		other = read_group(sight->by_fd, true, max, fn, arg);
	return r && r != -EAGAIN ? r : other ? other : r;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* The directory's path below this mount, if it is reachable there. */
static int directory_below(const struct watched *mount, const struct file_handle *handle, char *path, size_t size)
{
	union handle copy;
	CLEAN(fd) int root = open(mount->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	CLEAN(fd) int dir = -1;
	char link[32];
	ssize_t len;

	if (root < 0 || handle->handle_bytes > HANDLE_ROOM)
		return -ENOENT;
	memcpy(&copy, handle, sizeof(*handle) + handle->handle_bytes);
	dir = open_by_handle_at(root, &copy.handle, O_PATH | O_CLOEXEC);
	if (dir < 0)
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	len = readlink(link, path, size - 1);
	if (len <= 0 || path[0] != '/')
		return -ENOENT;
	path[len] = '\0';
	return 0;
}

static int path_by_handle(const struct sight *sight, const struct fanotify_event_info_fid *place, char *path,
                          size_t size)
{
	const struct file_handle *handle = handle_of(place);
	const char *name = (const char *)handle->f_handle + handle->handle_bytes;
	uint64_t fsid;
	int r = -ENOENT;

	memcpy(&fsid, &place->fsid, sizeof(fsid));
	for (int whole = 1; r && whole >= 0; whole--) {
		for (size_t i = 0; r && i < sight->n_mounts; i++) {
			if (sight->mount[i].fsid == fsid && sight->mount[i].whole == whole)
				r = directory_below(&sight->mount[i], handle, path, size);
		}
	}
	if (!r && strcmp(name, ".") != 0) {
		size_t len = strcmp(path, "/") ? strlen(path) : 0;

		if (len + strlen(name) + 2 > size)
			return -ENAMETOOLONG;
		snprintf(path + len, size - len, "/%s", name);
	}
	return r;
}

/* Of a file that has lost its name: that name, which may be another file's by now. */
static int path_of_open(const struct seen *seen, char *path, size_t size)
{
	const size_t gone = strlen(GONE);
	struct digest now;
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", seen->fd);
	len = readlink(link, path, size - 1);
	if (len <= 0 || path[0] != '/')
		return -ENOENT;
	path[len] = '\0';
	if ((size_t)len > gone && !strcmp(path + len - gone, GONE) &&
	    (sight_object(path, &now) || now.lo != seen->object.lo || now.hi != seen->object.hi))
		path[(size_t)len - gone] = '\0';
	return 0;
}

int sight_path(const struct sight *sight, const struct seen *seen, char *path, size_t size)
{
	if (seen->where)
		return path_by_handle(sight, seen->where, path, size);
	return seen->fd >= 0 ? path_of_open(seen, path, size) : -ENOENT;
}
