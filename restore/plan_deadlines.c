/* SPDX-License-Identifier: MIT */
/* Waits that were under way: what had a second to go has a second to go. Before any thread is released. */
#include "restore/plan.h"

void plan_deadlines(struct plan *p)
{
	for (size_t i = 0; i < p->image->n_deadline; i++) {
		const Warm__Image__Deadline *d = p->image->deadline[i];

		plan_op(p,
		        (struct rop){.kind = ROP_DEADLINE,
		                     .args = {d->address, (uint64_t)d->clock, (uint64_t)d->now_ns}},
		        "keep the distance of the deadline at %#lx", (unsigned long)d->address);
	}
}
