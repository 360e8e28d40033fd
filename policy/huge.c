/* SPDX-License-Identifier: MIT */
#include "policy/huge.h"

void huge_note(struct huge_trial *trial, bool huge, uint64_t us)
{
	if (trial->n[huge]++ == 0 || us < trial->best_us[huge])
		trial->best_us[huge] = us;
}

void huge_restart(struct huge_trial *trial)
{
	*trial = (struct huge_trial){{0}, {0}};
}

bool huge_wanted(const struct huge_trial *trial, enum huge_mode mode, uint64_t pages)
{
	if (mode != HUGE_AUTO)
		return mode == HUGE_ALWAYS;
	if (pages < HUGE_FROM_PAGES || trial->n[false] < HUGE_STANDBYS)
		return false;
	if (trial->n[true] < HUGE_STANDBYS)
		return true;
	return trial->best_us[true] <
	       trial->best_us[false] / 10 * 9; /* memory is rounded up: it has to be worth that */
}
