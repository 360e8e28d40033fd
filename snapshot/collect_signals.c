/* SPDX-License-Identifier: MIT */
/* Signal actions and the process's pending signals. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/clean.h"
#include "base/err.h"
#include "snapshot/pending.h"
#include "snapshot/subject.h"

#define KERNEL_SIGACTION 32 /* handler, flags, restorer, mask */
#define N_SIGNALS        64

static int take_actions(struct subject *s, Warm__Image__Process *process, struct err *err)
{
	static const uint8_t untouched[KERNEL_SIGACTION];
	uint8_t actions[N_SIGNALS][KERNEL_SIGACTION] = {{0}};
	int r;

	for (int sig = 1; sig <= N_SIGNALS; sig++) {
		long ret;

		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		r = subject_syscall(s, &ret, SYS_rt_sigaction, (uint64_t)sig, 0,
		                    s->scratch + (uint64_t)(sig - 1) * KERNEL_SIGACTION, 8, err);
		if (r < 0)
			return r;
		if (ret < 0)
			return err_sys(err, (int)-ret, "action of signal %d", sig);
	}
	r = subject_read(s, s->scratch, actions, sizeof(actions), err);
	if (r < 0)
		return r;
	memset(actions[SIGKILL - 1], 0, sizeof(actions[0]));
	memset(actions[SIGSTOP - 1], 0, sizeof(actions[0]));
	for (int i = 0; i < N_SIGNALS; i++) {
		bool kept = memcmp(actions[i], untouched, sizeof(untouched)) != 0;

		if (GROW(process, sigaction, bytes_copy(actions[i], kept ? KERNEL_SIGACTION : 0)) < 0)
			return err_sys(err, ENOMEM, "signal actions");
	}
	return 0;
}

int collect_signals(struct subject *s, struct err *err)
{
	Warm__Image__Process *process = s->image->process;
	int r = take_actions(s, process, err);

	return r < 0 ? r : pending_take(s, &s->thread[0], true, &process->pending, &process->n_pending, err);
}
