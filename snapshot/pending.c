/* SPDX-License-Identifier: MIT */
#include "snapshot/pending.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/err.h"

/* What the kernel itself sends to whoever is in front of a terminal. */
static bool is_terminals(const siginfo_t *info)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};

	for (size_t i = 0; info->si_code == SI_KERNEL && i < sizeof(signals) / sizeof(signals[0]); i++)
		if (info->si_signo == signals[i])
			return true;
	return false;
}

/* Those of its timers, children and descriptors are its own. */
static bool names_a_sender(const siginfo_t *info)
{
	return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
}

static int check(const struct subject *s, const siginfo_t *info, struct err *err)
{
	const char *name = sigabbrev_np(info->si_signo);
	int own = (int)s->image->thread[0]->tid;

	if (!is_terminals(info) && !(names_a_sender(info) && info->si_pid != own))
		return 0;
	return err_refuse(
	        err, "try again behind it",
	        "signal %d (%s) from %s waits in process %d: it is for this process alone, a copy must not get it",
	        info->si_signo, name ? name : "real-time", is_terminals(info) ? "its terminal" : "another process",
	        s->pid);
}

int pending_take(struct subject *s, const struct tracee *t, bool shared, ProtobufCBinaryData **field, size_t *n,
                 struct err *err)
{
	CLEAN(free) uint8_t *infos = NULL;
	size_t n_infos = 0;
	int r = tracee_pending(t, shared, &infos, &n_infos, err);

	for (size_t i = 0; r == 0 && i < n_infos; i++) {
		siginfo_t info;
		ProtobufCBinaryData copy;

		memcpy(&info, infos + i * sizeof(info), sizeof(info));
		if ((r = check(s, &info, err)) < 0)
			break;
		copy = bytes_copy(&info, sizeof(info));
		if (!copy.data || grow(field, n, sizeof(copy), &copy) < 0)
			r = err_sys(err, ENOMEM, "pending signals");
	}
	return r;
}
