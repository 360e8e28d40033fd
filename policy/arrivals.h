/* SPDX-License-Identifier: MIT */
/*
 * How the launches of one image come: the idle times between them, how many come shortly behind another, and how many
 * standbys each rush of them would have used. 360 bytes an image, whatever happens; what is old counts less and less.
 * Pure: the caller has the clock (CLOCK_MONOTONIC in ms, never 0).
 *
 * Idle times are kept from ARRIVALS_SHORT_MS to two weeks in stretches of a twelfth to a sixteenth of their length:
 *
 *     SHORT   |32 s|36 s|41 s|…|65 s|73 s|…                    |15 d    and longer
 *     a share  stretch 0, 1, 2, …                                ARRIVALS_STRETCHES - 1
 */
#ifndef WARM_POLICY_ARRIVALS_H
#define WARM_POLICY_ARRIVALS_H

#include <stddef.h>
#include <stdint.h>

#define ARRIVALS_SHORT_MS  32768u
#define ARRIVALS_STRETCHES 123
#define ARRIVALS_RUSH_MAX  32
#define ARRIVALS_ONE       256u /* the weight of one observation that is new */
#define ARRIVALS_PACKED    (8 + 2 * (ARRIVALS_STRETCHES + ARRIVALS_RUSH_MAX))

struct arrivals {
	uint64_t last_ms;     /* of the last launch, or of publishing; 0: never */
	uint32_t cycle_ms;    /* smoothed, from the beginning of a rush to that of the next; 0: not known */
	uint16_t short_share; /* of all launches, those that came within ARRIVALS_SHORT_MS: 65535 is all */
	uint16_t idle[ARRIVALS_STRETCHES];
	uint16_t rush[ARRIVALS_RUSH_MAX]; /* [i]: rushes that would have used i + 1 standbys */
	/* The rush that goes on: */
	uint64_t rush_began_ms;
	uint64_t owed_ms;   /* for making what it has used, as of last_ms */
	unsigned rush_peak; /* what it has used; 0: there was none */
};

/* make_ms: how long making one standby takes. */
void arrivals_note(struct arrivals *arrivals, uint64_t now_ms, uint64_t make_ms);

/* Where stretch i begins; i = ARRIVALS_STRETCHES - 1 has no end. */
uint64_t arrivals_stretch_ms(unsigned i);

/* How many idle times are kept, and how many rushes (in observations, the old ones less). */
double arrivals_n_idle(const struct arrivals *arrivals);
double arrivals_n_rushes(const struct arrivals *arrivals);

/* The same for another process, later: without last_ms and the rush that goes on. Unpacking something else: -EBADMSG,
 * and nothing is known. */
void arrivals_pack(const struct arrivals *arrivals, uint8_t buf[ARRIVALS_PACKED]);
int arrivals_unpack(struct arrivals *arrivals, const void *buf, size_t len);

#endif
