/* SPDX-License-Identifier: MIT */
/*
 * Whether a template's memory is put into huge pages. A fork of it is cheaper then, and reads need fewer entries of
 * page tables; each write to a page that nobody foresaw splits one. What it is worth depends on the program and on the
 * machine (under a hypervisor that shadows page tables, the opposite of elsewhere), so it is measured: standbys of a
 * template without, then of one with; the quickest of each are compared, as whatever else runs only adds to them.
 *
 *     without ──HUGE_STANDBYS made──► with ──HUGE_STANDBYS made──► the quicker one, from then on
 */
#ifndef WARM_POLICY_HUGE_H
#define WARM_POLICY_HUGE_H

#include <stdbool.h>
#include <stdint.h>

#define HUGE_STANDBYS   6u
#define HUGE_FROM_PAGES 2048u /* an image of 8 MiB; a smaller one has next to nothing to gain */

enum huge_mode { HUGE_AUTO, HUGE_ALWAYS, HUGE_NO };

struct huge_trial {
	unsigned n[2];       /* standbys of templates without, with */
	uint64_t best_us[2]; /* the quickest took so long */
};

/* A standby was made of such a template. */
void huge_note(struct huge_trial *trial, bool huge, uint64_t us);

/* What a standby touches has changed: what was measured says nothing any more. */
void huge_restart(struct huge_trial *trial);

/* What the next template should be, which may be what the present one is. */
bool huge_wanted(const struct huge_trial *trial, enum huge_mode mode, uint64_t pages);

#endif
