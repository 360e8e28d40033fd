/* SPDX-License-Identifier: MIT */
#include "snapshot/planned_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/clean.h"
#include "base/err.h"
#include "proto/arena.h"
#include "snapshot/subject.h"

#define OPS_MAX    (1u << 22)
#define NOT_HELD   HELD_MAX
#define LOCK_FLAGS (LOCK_SH | LOCK_EX)

struct planned_lock {
	int fd;
	unsigned bit; /* of the held object that it belongs to, or NOT_HELD */
	Warm__Image__FileLock lock;
};

static int read_ops(const struct subject *s, uint64_t at, struct rop **ret, uint32_t *ret_n, struct err *err)
{
	struct {
		uint64_t ops;
		uint32_t n_ops;
	} head;
	int r;

	_Static_assert(offsetof(struct arena, ops) == 0 && offsetof(struct arena, n_ops) == 8, "the arena's beginning");
	if ((r = subject_read(s, at, &head, sizeof(head), err)) < 0)
		return r;
	if (head.n_ops > OPS_MAX)
		return err_set(err, EBADMSG, "the clone's plan has %u operations", head.n_ops);
	*ret = calloc((size_t)head.n_ops + 1, sizeof(**ret));
	if (!*ret)
		return err_sys(err, ENOMEM, "the clone's plan");
	*ret_n = head.n_ops;
	return subject_read(s, head.ops, *ret, head.n_ops * sizeof(**ret), err);
}

/* What the operation locks: restore/plan_lock.c. 1: it does; 0: it is another one. */
static int read_lock(const struct subject *s, const struct rop *op, struct planned_lock *ret, struct err *err)
{
	struct flock range;
	int r;

	/* The directory of a unix socket, locked until that is bound: in no number of the program's. */
	if (op->flags & ROP_SLOT(0))
		return 0;
	warm__image__file_lock__init(&ret->lock);
	ret->fd = (int)op->args[0];
	if (op->kind == ROP_SYSCALL && op->nr == SYS_flock) {
		ret->lock.kind = WARM__IMAGE__LOCK_KIND__FLOCK;
		ret->lock.exclusive = (op->args[1] & LOCK_FLAGS) == LOCK_EX;
		return 1;
	}
	if (op->kind != ROP_SYSCALL || op->nr != SYS_fcntl || (op->args[1] != F_SETLK && op->args[1] != F_OFD_SETLK))
		return 0;
	if ((r = subject_read(s, op->args[2], &range, sizeof(range), err)) < 0)
		return r;
	ret->lock.kind = op->args[1] == F_SETLK ? WARM__IMAGE__LOCK_KIND__POSIX : WARM__IMAGE__LOCK_KIND__OFD;
	ret->lock.exclusive = range.l_type == F_WRLCK;
	ret->lock.start = (uint64_t)range.l_start;
	ret->lock.length = (uint64_t)range.l_len;
	return 1;
}

int planned_locks_read(const struct subject *clone, uint64_t arena, struct planned_locks *ret, struct err *err)
{
	CLEAN(free) struct rop *op = NULL;
	uint32_t n_ops = 0, held_to = 0;
	unsigned held = NOT_HELD;
	int r = read_ops(clone, arena, &op, &n_ops, err);

	for (uint32_t i = 0; r >= 0 && i < n_ops; i++) {
		struct planned_lock lock;

		if (op[i].kind == ROP_SKIP) {
			held = (unsigned)op[i].args[0];
			held_to = i + (uint32_t)op[i].args[1];
		}
		lock.bit = i <= held_to ? held : NOT_HELD;
		r = read_lock(clone, &op[i], &lock, err);
		if (r > 0 && grow(&ret->lock, &ret->n, sizeof(lock), &lock) < 0)
			r = err_sys(err, ENOMEM, "the clone's plan");
	}
	return r < 0 ? r : 0;
}

void planned_locks_free(struct planned_locks *locks)
{
	free(locks->lock);
	locks->lock = NULL;
	locks->n = 0;
}

static Warm__Image__Description *description_of(const Warm__Image__Image *image, int fd)
{
	for (size_t i = 0; i < image->n_descriptor; i++)
		if (image->descriptor[i]->fd == fd)
			return image->description[image->descriptor[i]->description];
	return NULL;
}

int planned_locks_add(const struct planned_locks *locks, struct subject *clone, uint64_t skipped, struct err *err)
{
	for (size_t i = 0; i < locks->n; i++) {
		const struct planned_lock *planned = &locks->lock[i];
		Warm__Image__Description *d = description_of(clone->image, planned->fd);
		Warm__Image__FileLock *lock;

		if (planned->bit >= HELD_MAX || !(skipped >> planned->bit & 1))
			continue; /* it was taken, or is one too many */
		if (!d)
			return err_set(err, EUCLEAN, "fd %d: is to be locked, and is not there", planned->fd);
		lock = malloc(sizeof(*lock));
		if (!lock)
			return err_sys(err, ENOMEM, "descriptors");
		*lock = planned->lock;
		if (GROW(d, lock, lock) < 0)
			return err_sys(err, ENOMEM, "descriptors");
	}
	return 0;
}
