/* SPDX-License-Identifier: MIT */
/* A thread's registers as a signal frame, in the arena or, written there by the plan, on the thread's own stack. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "restore/plan.h"

int plan_sigframe(struct plan *p, const Warm__Image__Thread *t, bool stack, uint64_t *ret_frame, struct err *err)
{
	size_t len = sigframe_len(&p->place->xstate);
	uint64_t copy = plan_data(p, NULL, len, 64), at;
	struct user_regs_struct regs;
	int r;

	if (p->failed)
		return err_sys(err, ENOMEM, "plan");
	memcpy(&regs, t->regs.data, sizeof(regs));
	at = stack ? sigframe_place(&p->place->xstate, regs.rsp) : copy;
	r = sigframe_build(plan_at(p, copy), at,
	                   &(struct sigframe){.tid = t->tid,
	                                      .regs = &regs,
	                                      .xstate = t->xstate.data,
	                                      .xstate_len = t->xstate.len,
	                                      .sigmask = t->sigmask,
	                                      .altstack_sp = t->altstack_sp,
	                                      .altstack_size = t->altstack_size,
	                                      .altstack_flags = t->altstack_flags},
	                   &p->place->xstate, p->place->way.sigreturn, err);
	if (r < 0)
		return r;
	if (stack)
		plan_op(p, (struct rop){.kind = ROP_COPY, .args = {at, copy, len}},
		        "registers of thread %d, on its stack", t->tid);
	*ret_frame = at;
	return 0;
}
