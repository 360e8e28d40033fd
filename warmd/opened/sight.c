/* SPDX-License-Identifier: MIT */
#include "warmd/opened/sight.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOUNTS      "/proc/self/mountinfo"
#define MOUNTS_SIZE (16u << 20)
#define HANDLE_ROOM 128 /* MAX_HANDLE_SZ of the kernel */

/* Read or written; names that come and go in a directory that was read; a program, early enough to ask whose child it
 * is. */
#define EVENTS                                                                                                         \
	(FAN_ACCESS | FAN_CLOSE_NOWRITE | FAN_CLOSE_WRITE | FAN_MODIFY | FAN_ATTRIB | FAN_OPEN_EXEC | FAN_CREATE |     \
	 FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR)

struct mount {
	uint64_t fsid;
	bool whole; /* not a part of the file system, bound somewhere */
	char *path;
};

struct sight {
	int fd, mounts_fd;
	bool known;          /* the mount table is what it was when `mount` was made */
	struct mount *mount; /* those that can be watched */
	size_t n_mounts;
};

/* ---- mounts ------------------------------------------------------------------------------------------------------ */

/* Views of the kernel's own state: what is read there comes from no file. */
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

static uint64_t fsid_of(const struct statfs *fs)
{
	uint64_t id;

	memcpy(&id, &fs->f_fsid, sizeof(id));
	return id;
}

/* A handle that cannot be opened again names nothing. */
static int try_handle(const char *path)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + HANDLE_ROOM];
	} at = {.handle = {.handle_bytes = HANDLE_ROOM}};
	CLEAN(fd) int root = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	CLEAN(fd) int again = -1;
	int id;

	if (root < 0 || name_to_handle_at(root, "", &at.handle, &id, AT_EMPTY_PATH))
		return -errno;
	again = open_by_handle_at(root, &at.handle, O_PATH | O_CLOEXEC);
	return again < 0 ? -errno : 0;
}

static int mark(const struct sight *sight, const char *path)
{
	return fanotify_mark(sight->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENTS, AT_FDCWD, path) ? -errno : 0;
}

static int add_mount(struct sight *sight, const char *root, const char *path)
{
	struct mount *more;
	struct statfs fs;
	int r = mark(sight, path);

	if (!r && statfs(path, &fs))
		r = -errno;
	if (!r)
		r = try_handle(path);
	if (r)
		return r;
	more = reallocarray(sight->mount, sight->n_mounts + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	sight->mount = more;
	more[sight->n_mounts] = (struct mount){fsid_of(&fs), !strcmp(root, "/"), strdup(path)};
	if (!more[sight->n_mounts].path)
		return -ENOMEM;
	sight->n_mounts++;
	return 0;
}

static void forget_mounts(struct sight *sight)
{
	for (size_t i = 0; i < sight->n_mounts; i++)
		free(sight->mount[i].path);
	free(sight->mount);
	sight->mount = NULL;
	sight->n_mounts = 0;
}

/* One line: id, parent, device, root, mount point, options..., "-", type, ... */
static int read_line(struct sight *sight, char *line, char *blind, size_t size, struct err *err)
{
	char *save = NULL, *word = strtok_r(line, " ", &save), *root = NULL, *path = NULL, *type = NULL;
	int r;

	for (unsigned i = 0; word; word = strtok_r(NULL, " ", &save), i++) {
		if (i == 3)
			root = word;
		else if (i == 4)
			path = word;
		else if (i > 5 && !strcmp(word, "-"))
			break;
	}
	type = word ? strtok_r(NULL, " ", &save) : NULL;
	if (!type || pseudo(type) || !strcmp(path, "/dev"))
		return 0;
	unescape(root);
	unescape(path);
	r = add_mount(sight, root, path);
	if (r == -ENOENT || r == -ENOTDIR) /* hidden under another mount, or gone by now */
		return 0;
	if (r == -ENOMEM || (r && !strcmp(path, "/")))
		return err_sys(err, -r, "what is opened on %s (%s) cannot be seen", path, type);
	if (r && !blind[0])
		snprintf(blind, size, "%s (%s): %s", path, type, strerror(-r));
	return 0;
}

static int read_mounts(struct sight *sight, char *blind, size_t size, struct err *err)
{
	CLEAN(free) char *text = NULL;
	char *at, *line;
	int r = fd_read_file_at(AT_FDCWD, MOUNTS, MOUNTS_SIZE, &text, NULL);

	if (r)
		return err_sys(err, -r, "read %s", MOUNTS);
	forget_mounts(sight);
	for (at = text; !r && (line = strsep(&at, "\n"));)
		r = *line ? read_line(sight, line, blind, size, err) : 0;
	sight->known = !r;
	return r;
}

int sight_on(struct sight *sight, char *blind, size_t size, struct err *err)
{
	bool same = sight->known;

	blind[0] = '\0';
	for (size_t i = 0; same && i < sight->n_mounts; i++)
		same = !mark(sight, sight->mount[i].path);
	return same ? 0 : read_mounts(sight, blind, size, err);
}

void sight_mounts_changed(struct sight *sight)
{
	sight->known = false;
}

void sight_off(struct sight *sight)
{
	fanotify_mark(sight->fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, "/");
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static const struct file_handle *handle_of(const struct fanotify_event_info_fid *info)
{
	return (const struct file_handle *)info->handle;
}

static void name_object(struct digest *object, const void *fsid, const struct file_handle *handle)
{
	digest_init(object);
	digest_add(object, fsid, sizeof(__kernel_fsid_t));
	digest_add(object, &handle->handle_type, sizeof(handle->handle_type));
	digest_add(object, handle->f_handle, handle->handle_bytes);
}

/* The object is the file, in an event about names the directory; where it is, the directory's handle and a name. */
static bool understand(const struct fanotify_event_metadata *event, struct seen *seen)
{
	const uint64_t names = FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO;
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
	if (!object || event->mask & names)
		object = place;
	if (!object)
		return false;
	*seen = (struct seen){.pid = event->pid, .mask = event->mask, .where = place};
	name_object(&seen->object, &object->fsid, handle_of(object));
	return true;
}

int sight_read(struct sight *sight, unsigned max, void (*fn)(void *arg, const struct seen *seen), void *arg)
{
	char buf[65536] __attribute__((aligned(__alignof__(struct fanotify_event_metadata))));
	int ret = 0;

	for (unsigned n = 0; n < max;) {
		ssize_t len = read(sight->fd, buf, sizeof(buf));
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
			else if (understand(event, &seen))
				fn(arg, &seen);
		}
	}
	return ret ? ret : -EAGAIN;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* The directory's path below this mount, if it is reachable there. */
static int directory_below(const struct mount *mount, const struct file_handle *handle, char *path, size_t size)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + HANDLE_ROOM];
	} copy;
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

int sight_path(const struct sight *sight, const void *where, char *path, size_t size)
{
	const struct fanotify_event_info_fid *place = where;
	const struct file_handle *handle;
	const char *name;
	uint64_t fsid;
	int r = -ENOENT;

	if (!place)
		return -ENOENT;
	handle = handle_of(place);
	name = (const char *)handle->f_handle + handle->handle_bytes;
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

int sight_object(const char *path, struct digest *ret)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + HANDLE_ROOM];
	} at = {.handle = {.handle_bytes = HANDLE_ROOM}};
	struct statfs fs;
	int id;

	if (name_to_handle_at(AT_FDCWD, path, &at.handle, &id, 0) || statfs(path, &fs))
		return -errno;
	name_object(ret, &fs.f_fsid, &at.handle);
	return 0;
}

/* ---- the group --------------------------------------------------------------------------------------------------- */

int sight_new(struct sight **ret, struct err *err)
{
	struct sight *sight = calloc(1, sizeof(*sight));

	if (!sight)
		return err_set(err, ENOMEM, "out of memory");
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
	clean_fd(&sight->mounts_fd);
	free(sight);
}

int sight_fd(const struct sight *sight)
{
	return sight->fd;
}

int sight_mounts_fd(const struct sight *sight)
{
	return sight->mounts_fd;
}
