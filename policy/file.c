/* SPDX-License-Identifier: MIT */
#include "policy/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int64_t in_ns(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void file_note(Warm__Rpc__File *file, const struct stat *st)
{
	file->dev = st->st_dev;
	file->ino = st->st_ino;
	file->size = (uint64_t)st->st_size;
	file->mtime_ns = in_ns(st->st_mtim);
	file->ctime_ns = in_ns(st->st_ctim);
}

static int differs(const Warm__Rpc__File *file, const char *how, char *reason, size_t reason_size)
{
	snprintf(reason, reason_size, "%s %s", file->path, how);
	return 1;
}

int file_compare(const Warm__Rpc__File *file, const struct stat *st, const struct digest *names, char *reason,
                 size_t reason_size)
{
	uint8_t now[DIGEST_SIZE];

	if (!st)
		return differs(file, "is gone", reason, reason_size);
	if (st->st_dev != file->dev || st->st_ino != file->ino)
		return differs(file, "was replaced", reason, reason_size);
	if (file->searched &&
	    (st->st_mode != file->mode || st->st_uid != file->owner || st->st_gid != file->owner_group))
		return differs(file, "has other permissions", reason, reason_size);
	if (file->same_inode_only) {
		bool shrunk = S_ISREG(st->st_mode) && (uint64_t)st->st_size < file->size;

		return shrunk ? differs(file, "was truncated", reason, reason_size) : 0;
	}
	if (file->names_digest.len > 0) {
		if (!S_ISDIR(st->st_mode) || !names)
			return differs(file, "is no directory any more", reason, reason_size);
		digest_bytes(names, now);
		if (file->names_digest.len != sizeof(now) || memcmp(file->names_digest.data, now, sizeof(now)) != 0)
			return differs(file, "has other entries", reason, reason_size);
		return 0;
	}
	if (!S_ISREG(st->st_mode))
		return 0; /* a device or a directory that was only looked at: times that move by use */
	if ((uint64_t)st->st_size != file->size || in_ns(st->st_mtim) != file->mtime_ns)
		return differs(file, "changed", reason, reason_size);
	/* Times can be set back; the time of the change of the inode cannot. */
	if (in_ns(st->st_ctim) != file->ctime_ns)
		return differs(file, "was touched (its status changed)", reason, reason_size);
	return 0;
}

void file_names_init(struct digest *names)
{
	names->hi = 0;
	names->lo = 1; /* an empty directory has a digest too */
}

static bool counts(char *const *suffix, size_t n_suffix, const char *name, bool is_dir)
{
	size_t len = strlen(name);

	if (strcmp(name, "__pycache__") == 0)
		return false; /* made and filled by looking: the first import of a module would spoil its snapshot */
	for (size_t i = 0; i < n_suffix; i++) {
		size_t suffix_len = strlen(suffix[i]);

		if (strcmp(suffix[i], "/") == 0 ? is_dir
		                                : suffix_len <= len && strcmp(name + len - suffix_len, suffix[i]) == 0)
			return true;
	}
	return n_suffix == 0;
}

/* A sum of the digests of the names: the order in which readdir(3) has them does not matter. */
void file_names_add(struct digest *names, char *const *suffix, size_t n_suffix, const char *name, bool is_dir)
{
	struct digest one;
	unsigned __int128 sum;

	if (!counts(suffix, n_suffix, name, is_dir))
		return;
	digest_init(&one);
	digest_add_string(&one, name);
	sum = (((unsigned __int128)names->hi << 64) | names->lo) + (((unsigned __int128)one.hi << 64) | one.lo);
	names->hi = (uint64_t)(sum >> 64);
	names->lo = (uint64_t)sum;
}
