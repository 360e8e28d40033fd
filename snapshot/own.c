/* SPDX-License-Identifier: MIT */
#include "snapshot/own.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/uapi.h"
#include "snapshot/subject.h"

/* Its supervisor, whose child it is, leads its session (restore/plan_template.c). */
static int check_group(const struct subject *s, struct err *err)
{
	struct proc_stat stat;
	int r = proc_stat_read(s->proc_fd, &stat);

	if (r < 0)
		return err_sys(err, -r, "process group of the clone");
	if (stat.pgrp != s->pid)
		return err_set(err, EUCLEAN, "the clone has no process group of its own");
	if (stat.session != stat.ppid)
		return err_set(err, EUCLEAN, "the clone has no session of its own");
	return 0;
}

/* Without one it would have the daemon's, which is ours. */
static int check_keyring(struct subject *s, struct err *err)
{
	const long ours = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	long its;
	int r = subject_syscall(s, &its, SYS_keyctl, KEYCTL_GET_KEYRING_ID, (uint64_t)(int64_t)KEY_SPEC_SESSION_KEYRING,
	                        0, 0, err);

	if (r == 0 && its > 0 && its == ours)
		r = err_set(err, EUCLEAN, "the clone has no session keyring of its own");
	return r;
}

/* Timers that it makes get ids as usual (restore/plan_timers.c). Before Linux 6.15 that cannot be otherwise. */
static int check_timer_ids(struct subject *s, struct err *err)
{
	long chosen;
	int r = subject_syscall(s, &chosen, SYS_prctl, PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_GET, 0,
	                        0, err);

	if (r == 0 && chosen == 1)
		r = err_set(err, EUCLEAN, "timers of the clone would have to choose their ids");
	return r;
}

int check_own(struct subject *clone, struct err *err)
{
	int r;

	if ((r = check_group(clone, err)) < 0 || (r = check_keyring(clone, err)) < 0)
		return r;
	return check_timer_ids(clone, err);
}
