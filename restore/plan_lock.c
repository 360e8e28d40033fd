/* SPDX-License-Identifier: MIT */
/*
 * File locks, taken at GO without waiting: where somebody else has one, the launch starts cold. They come last, when
 * every descriptor is in place: closing any descriptor of a file ends the process's record locks on it.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "restore/files_internal.h"
#include "restore/plan.h"

static void take_lock(struct plan *p, uint64_t fd, const Warm__Image__FileLock *lock, const char *path)
{
	struct flock range = {.l_type = lock->exclusive ? F_WRLCK : F_RDLCK,
	                      .l_whence = SEEK_SET,
	                      .l_start = (off_t)lock->start,
	                      .l_len = (off_t)lock->length};
	bool ofd = lock->kind == WARM__IMAGE__LOCK_KIND__OFD;

	if (lock->kind == WARM__IMAGE__LOCK_KIND__FLOCK)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_flock,
		                     .args = {fd, (lock->exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB}},
		        "lock %s", path);
	else
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_fcntl,
		                     .args = {fd, ofd ? F_OFD_SETLK : F_SETLK, plan_data(p, &range, sizeof(range), 8)}},
		        "lock %s from %lu on", path, (unsigned long)lock->start);
}

void plan_files_lock(struct plan *p)
{
	for (size_t i = 0; i < p->image->n_description; i++) {
		const Warm__Image__Description *d = p->image->description[i];
		uint32_t held;

		if (!d->n_lock)
			continue;
		held = plan_held_begin(p, d->held);
		for (size_t j = 0; j < d->n_lock; j++)
			take_lock(p, (uint64_t)plan_number_of(p, i), d->lock[j], d->path);
		plan_held_end(p, held);
	}
}
