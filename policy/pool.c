/* SPDX-License-Identifier: MIT */
#include "policy/pool.h"

#define MINUTE       60000u
#define USUAL_FOR_MS (10 * MINUTE) /* after its last launch an image keeps its usual standbys for so long, */
#define ONE_FOR_MS   (60 * MINUTE) /* and one for so long */

void pool_note_launch(struct pool_history *history, uint64_t now_ms)
{
	if (history->last_ms && now_ms >= history->last_ms) {
		uint64_t gap = now_ms - history->last_ms;

		/* The last few launches count; a burst is noticed at its third launch, its end by the age of the last
		 * one. */
		history->interval_ms = history->interval_ms ? (history->interval_ms * 3 + gap) / 4 : gap + 1;
	}
	history->last_ms = now_ms;
}

static uint64_t idle_ms(const struct pool_history *history, uint64_t now_ms)
{
	return now_ms > history->last_ms ? now_ms - history->last_ms : 0;
}

/* Launches that are expected while two standbys are being made have to be standing already. */
static unsigned dense(const struct pool_history *history, uint64_t idle, uint64_t make_ms)
{
	uint64_t interval = history->interval_ms > idle ? history->interval_ms : idle;
	uint64_t more;

	if (history->interval_ms == 0)
		return 0;
	more = 2 * make_ms / (interval ? interval : 1);
	return more < POOL_MOST - POOL_USUAL ? (unsigned)more : POOL_MOST - POOL_USUAL;
}

unsigned pool_want(const struct pool_history *history, uint64_t now_ms, unsigned have, uint64_t make_ms,
                   uint64_t standby_bytes, uint64_t bytes_left)
{
	uint64_t idle = idle_ms(history, now_ms), affordable;
	unsigned want = 0;

	if (history->pinned > 0)
		want = (unsigned)history->pinned - 1;
	else if (history->last_ms && idle < USUAL_FOR_MS)
		want = POOL_USUAL + dense(history, idle, make_ms);
	else if (history->last_ms && idle < ONE_FOR_MS)
		want = 1;

	affordable = standby_bytes ? bytes_left / standby_bytes : UINT32_MAX;
	if (want > have && want - have > affordable)
		want = have + (unsigned)affordable;
	return want;
}

uint64_t pool_next_change_ms(const struct pool_history *history, uint64_t now_ms)
{
	uint64_t idle = idle_ms(history, now_ms);

	if (history->pinned > 0 || history->last_ms == 0 || idle >= ONE_FOR_MS)
		return UINT64_MAX;
	if (idle >= USUAL_FOR_MS)
		return ONE_FOR_MS - idle;
	if (history->interval_ms && idle < MINUTE)
		return 1000; /* a burst may be over */
	return USUAL_FOR_MS - idle;
}

int pool_evict(const struct pool_template *templates, size_t n_templates, uint64_t now_ms)
{
	double worst = -1;
	int evict = -1;

	for (size_t i = 0; i < n_templates; i++) {
		/* Idle time times memory: what has been of no use. One second more, so that of two just used the larger
		 * goes. */
		double useless = (double)(idle_ms(&templates[i].history, now_ms) + 1000) *
		                 (double)(templates[i].bytes + 1);

		if (templates[i].history.pinned > 0 || useless <= worst)
			continue;
		worst = useless;
		evict = (int)i;
	}
	return evict;
}
