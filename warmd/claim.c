/* SPDX-License-Identifier: MIT */
#include "warmd/claim.h"

#include "base/clean.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/proc.h"
#include "warmd/daemon.h"
#include "warmd/files.h"

#include <errno.h>
#include <fcntl.h>

/* A place of its own for each file: of 62 bits, so that two never meet by chance. */
static off_t place_of(const Warm__Rpc__File *file)
{
	const uint64_t id[] = {file->dev, file->ino};
	struct digest digest;

	digest_init(&digest);
	digest_add(&digest, id, sizeof(id));
	return (off_t)(digest.lo >> 2);
}

static bool original_lives(const Warm__Rpc__Record *record)
{
	CLEAN(fd) int dir = -1;
	struct proc_stat stat;

	if (!record->original_start)
		return false;
	dir = proc_open(record->original_pid);
	return dir >= 0 && !proc_stat_read(dir, &stat) && stat.starttime == record->original_start &&
	       stat.state != 'Z' && stat.state != 'X';
}

static const char *how(const Warm__Rpc__File *file)
{
	return file->content_digest.len ? "or mapped for writing" : "for writing";
}

static int claim_file(const struct daemon *daemon, const Warm__Rpc__File *file, int *fd, struct err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place_of(file), .l_len = 1};

	if (*fd < 0)
		*fd = open(daemon->claims, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return err_sys(err, errno, "open %s", daemon->claims);
	if (!fcntl(*fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return err_sys(err, errno, "lock %s", daemon->claims);
	return err_set(err, EBUSY, "another copy has %.150s open %s", file->path, how(file));
}

/* Who had the claim a moment ago may have written, and ended, since the launch looked at the files. */
static int still_as_it_was(const Warm__Rpc__Conditions *conditions, struct err *err)
{
	char reason[ERR_MSG_MAX];

	for (size_t i = 0; i < conditions->n_file; i++) {
		if (conditions->file[i]->position && file_check(conditions->file[i], reason, sizeof(reason)))
			return err_set(err, ESTALE, "%s", reason);
	}
	return 0;
}

int claim_take(struct daemon *daemon, const Warm__Rpc__Record *record, int *ret_fd, struct err *err)
{
	const Warm__Rpc__Conditions *conditions = record->conditions;
	CLEAN(fd) int fd = -1;
	int r;

	*ret_fd = -1;
	if (!record->original_pid)
		return 0;
	for (size_t i = 0; i < conditions->n_file; i++) {
		if (!conditions->file[i]->position)
			continue;
		if (original_lives(record))
			return err_set(err, EBUSY, "the original (process %d) has %.130s open %s", record->original_pid,
			               conditions->file[i]->path, how(conditions->file[i]));
		r = claim_file(daemon, conditions->file[i], &fd, err);
		if (r)
			return r;
	}
	r = still_as_it_was(conditions, err);
	if (!r)
		*ret_fd = take_fd(&fd);
	return r;
}
