/* SPDX-License-Identifier: MIT */
/* Signal actions, and the process's pending signals: queued again while everything is blocked. */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "restore/plan.h"

int plan_signals(struct plan *p, struct err *err)
{
	const Warm__Image__Process *process = p->image->process;

	(void)err;
	for (size_t i = 0; i < process->n_sigaction; i++)
		if (process->sigaction[i].len)
			plan_op(p,
			        (struct rop){
			                .kind = ROP_SYSCALL,
			                .nr = SYS_rt_sigaction,
			                .args = {i + 1,
			                         plan_data(p, process->sigaction[i].data, process->sigaction[i].len, 8),
			                         0, 8}},
			        "action of signal %zu", i + 1);
	for (size_t i = 0; i < process->n_pending; i++) {
		const siginfo_t *info = (const siginfo_t *)process->pending[i].data;

		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_rt_sigqueueinfo,
		                     .args = {(uint64_t)process->pid, (uint64_t)info->si_signo,
		                              plan_data(p, info, process->pending[i].len, 8)}},
		        "pending signal %d", info->si_signo);
	}
	return 0;
}

void plan_signals_redraw(struct plan *p)
{
	if (p->image->process->redraw)
		PLAN_SYS(p, SYS_kill, "the terminal is another one (SIGWINCH)", (uint64_t)p->image->process->pid,
		         SIGWINCH);
}
