/* SPDX-License-Identifier: MIT */
#include "warmd/files.h"

#include "base/clean.h"
#include "base/content.h"
#include "policy/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define OVERLAY_MAGIC 0x794c7630
#define FUSE_MAGIC    0x65735546
#define NFS_MAGIC     0x6969
#define V9FS_MAGIC    0x01021997
#define CIFS_MAGIC    0xff534d42
#define SMB2_MAGIC    0xfe534d42
#define CEPH_MAGIC    0x00c36400

typedef bool name_fn(void *arg, int dir_fd, const char *name, bool is_dir);

/* Hands out each name of a directory until fn says stop. 0 or -errno. */
static int each_name(const char *path, name_fn *fn, void *arg)
{
	CLEAN(dir) DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return -errno;
	while (errno = 0, (entry = readdir(dir))) {
		bool is_dir = entry->d_type == DT_DIR;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
			struct stat st;

			is_dir = !fstatat(dirfd(dir), entry->d_name, &st, 0) && S_ISDIR(st.st_mode);
		}
		if (!fn(arg, dirfd(dir), entry->d_name, is_dir))
			break;
	}
	return -errno;
}

struct names {
	struct digest digest;
	const Warm__Rpc__File *file;
};

static bool names_add(void *arg, int dir_fd, const char *name, bool is_dir)
{
	struct names *names = arg;

	(void)dir_fd;
	file_names_add(&names->digest, names->file->suffix, names->file->n_suffix, name, is_dir);
	return true;
}

static int names_read(const Warm__Rpc__File *file, struct digest *ret)
{
	struct names names = {.file = file};
	int r;

	file_names_init(&names.digest);
	r = each_name(file->path, names_add, &names);
	*ret = names.digest;
	return r;
}

int file_look(Warm__Rpc__File *file)
{
	struct digest names;
	struct stat st;
	int r;

	if (stat(file->path, &st))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	file_note(file, &st);
	if (!S_ISDIR(st.st_mode))
		return 0;
	r = names_read(file, &names);
	if (r)
		return r;
	file->names_digest.data = malloc(DIGEST_SIZE);
	if (!file->names_digest.data)
		return -ENOMEM;
	file->names_digest.len = DIGEST_SIZE;
	digest_bytes(&names, file->names_digest.data);
	return 0;
}

/* Stores through a mapping need not move any time. */
static int content_differs(const Warm__Rpc__File *file, char *reason, size_t size)
{
	uint8_t now[DIGEST_SIZE];
	int r;

	if (!file->content_digest.len)
		return 0;
	r = content_digest(file->path, file->dev, file->ino, file->content_offset, file->content_len, now);
	if (!r && file->content_digest.len == sizeof(now) && !memcmp(file->content_digest.data, now, sizeof(now)))
		return 0;
	snprintf(reason, size, "%s %s%s", file->path,
	         r ? "cannot be compared: " : "changed (it was mapped for writing)", r ? strerror(-r) : "");
	return 1;
}

int file_check(const Warm__Rpc__File *file, char *reason, size_t size)
{
	struct digest names;
	struct stat st;

	if (stat(file->path, &st)) {
		if (errno != ENOENT && errno != ENOTDIR) {
			snprintf(reason, size, "%s: %s", file->path, strerror(errno));
			return 1;
		}
		return file->ino ? file_compare(file, NULL, NULL, reason, size) : 0;
	}
	if (!file->ino) {
		snprintf(reason, size, "%s appeared", file->path);
		return 1;
	}
	if (!file->names_digest.len)
		return file_compare(file, &st, NULL, reason, size) || content_differs(file, reason, size);
	if (names_read(file, &names)) {
		snprintf(reason, size, "%s cannot be read any more", file->path);
		return 1;
	}
	return file_compare(file, &st, &names, reason, size);
}

/* ---- newer than the start ---------------------------------------------------------------------------------------- */

static int64_t newest_ns(const struct stat *st)
{
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	int64_t ctime = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;

	return mtime > ctime ? mtime : ctime;
}

struct newer {
	const Warm__Rpc__File *file;
	int64_t since_ns;
	char *which;
	size_t size;
	bool found;
};

static bool name_newer(void *arg, int dir_fd, const char *name, bool is_dir)
{
	struct newer *newer = arg;
	struct digest none, one;
	struct stat st;

	/* Whether a name counts is policy/file's to say: it leaves a mark in a digest, or it does not. */
	file_names_init(&none);
	one = none;
	file_names_add(&one, newer->file->suffix, newer->file->n_suffix, name, is_dir);
	if (is_dir || (one.hi == none.hi && one.lo == none.lo))
		return true;
	if (fstatat(dir_fd, name, &st, 0) || newest_ns(&st) <= newer->since_ns)
		return true;
	snprintf(newer->which, newer->size, "%s/%s", newer->file->path, name);
	newer->found = true;
	return false;
}

bool file_newer(const Warm__Rpc__File *file, int64_t since_ns, char *which, size_t size)
{
	struct newer newer = {file, since_ns, which, size, false};
	int64_t mtime = file->mtime_ns, ctime = file->ctime_ns;

	if (file->same_inode_only || file->settled || (mtime <= since_ns && ctime <= since_ns))
		return false;
	if (!file->names_digest.len) {
		struct stat st;

		if (!stat(file->path, &st) && !S_ISREG(st.st_mode))
			return false; /* a device: its times move by use */
		snprintf(which, size, "%s", file->path);
		return true;
	}
	/* The times of a directory move with every name in it: look at those that count. */
	if (each_name(file->path, name_newer, &newer)) {
		snprintf(which, size, "%s", file->path);
		return true;
	}
	return newer.found;
}

bool file_blind(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return true;
	switch ((uint32_t)fs.f_type) {
	case OVERLAY_MAGIC:
	case FUSE_MAGIC:
	case NFS_MAGIC:
	case V9FS_MAGIC:
	case CIFS_MAGIC:
	case SMB2_MAGIC:
	case CEPH_MAGIC:
		return true;
	default:
		return false;
	}
}
