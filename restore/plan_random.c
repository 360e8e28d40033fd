/* SPDX-License-Identifier: MIT */
/* What generators of random numbers start from, drawn anew by each standby: it costs a launch nothing. */
#include <sys/syscall.h>

#include "restore/plan.h"

#define WHOLE 256u /* getrandom(2) does not stop half-way in so many */

void plan_random(struct plan *p)
{
	for (size_t i = 0; i < p->image->n_random; i++) {
		const Warm__Image__RandomBytes *bytes = p->image->random[i];

		for (uint64_t at = 0, n; at < bytes->length; at += n) {
			n = bytes->length - at < WHOLE ? bytes->length - at : WHOLE;
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .want = WANT_EXACT,
			                     .nr = SYS_getrandom,
			                     .args = {bytes->address + at, n, 0},
			                     .expect = n},
			        "draw %lu random bytes at %#lx", (unsigned long)n,
			        (unsigned long)(bytes->address + at));
		}
	}
}
