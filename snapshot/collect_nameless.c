/* SPDX-License-Identifier: MIT */
/*
 * Files without a name: deleted while they are open, or made so (O_TMPFILE). Nobody else will find them, so a copy has
 * its own, with the same bytes, in the same directory. Large ones, and those that somebody else may know, are refused.
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/remedies.h"

#define NAMELESS_MAX (4u << 20) /* bytes: each launch writes them */
#define DELETED      " (deleted)"

bool is_deleted(const char *path)
{
	size_t len = strlen(path);

	return len > strlen(DELETED) && strcmp(path + len - strlen(DELETED), DELETED) == 0;
}

static bool is_known(const struct subject *s, const struct open_file *f)
{
	for (size_t i = 0; i < s->image->n_description; i++) {
		const Warm__Image__Description *d = s->image->description[i];

		if (d != f->desc && d->nameless && d->dev == f->st.st_dev && d->ino == f->st.st_ino)
			return true;
	}
	return false;
}

static int take_content(struct subject *s, const struct open_file *f, Warm__Image__Nameless *file, struct err *err)
{
	CLEAN(fd) int fd = -1;
	char name[32];
	ssize_t got;

	snprintf(name, sizeof(name), "fd/%d", f->fd);
	fd = openat(s->proc_fd, name, O_RDONLY | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "fd %d: bytes of the deleted file", f->fd);
	file->content.data = malloc((size_t)f->st.st_size + 1);
	if (!file->content.data)
		return err_sys(err, ENOMEM, "fd %d: bytes of the deleted file", f->fd);
	got = fd_read_full(fd, file->content.data, (size_t)f->st.st_size);
	if (got != f->st.st_size)
		return err_sys(err, got < 0 ? (int)-got : EIO, "fd %d: bytes of the deleted file", f->fd);
	file->content.len = (size_t)got;
	return 0;
}

/* What a copy could not have, or could not have alone. */
static int check_nameless(const struct subject *s, const struct open_file *f, struct err *err)
{
	if (f->st.st_nlink != 0)
		return err_refuse(err, CLOSE_IT, "fd %d: deleted file %s, which has another name", f->fd, f->link);
	if (f->st.st_size > (off_t)NAMELESS_MAX)
		return err_refuse(err, CLOSE_IT, "fd %d: deleted file %s, larger than %u MiB", f->fd, f->link,
		                  NAMELESS_MAX >> 20);
	if (f->st.st_uid != s->status.uid[3] || f->st.st_gid != s->status.gid[3])
		return err_refuse(err, CLOSE_IT, "fd %d: deleted file %s, of another owner", f->fd, f->link);
	if (f->desc->flags & O_PATH || (f->desc->flags & O_DIRECT))
		return err_refuse(err, CLOSE_IT, "fd %d: deleted file %s, opened with %s", f->fd, f->link,
		                  f->desc->flags & O_PATH ? "O_PATH" : "O_DIRECT");
	return 0;
}

int collect_nameless(struct subject *s, struct open_file *f, struct err *err)
{
	Warm__Image__Nameless *file = malloc(sizeof(*file));
	uint64_t pos = 0;
	char *slash;
	int r;

	if (!file)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__nameless__init(file);
	f->desc->nameless = file;
	f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__NAMELESS;
	r = check_nameless(s, f, err);
	if (r == 0 && !is_known(s, f))
		r = take_content(s, f, file, err);
	if (r < 0)
		return r;
	file->mode = f->st.st_mode & 07777;
	file->mtime_ns = f->st.st_mtim.tv_sec * INT64_C(1000000000) + f->st.st_mtim.tv_nsec;
	info_number(f, "pos", 10, &pos);
	f->desc->position = pos;
	f->desc->path = strdup(f->link);
	slash = f->desc->path ? strrchr(f->desc->path, '/') : NULL;
	if (!slash || summary_descriptor(s, "%d: %s", f->fd, f->link) < 0)
		return err_sys(err, ENOMEM, "descriptors");
	slash[slash == f->desc->path] = '\0'; /* its directory */
	return 0;
}
