/* SPDX-License-Identifier: MIT */
#include "policy/arrivals.h"

#include <errno.h>
#include <string.h>

#define IDLE_KEPT   128 /* so many observations, then the old ones fade */
#define RUSHES_KEPT 64
#define CYCLE_MAX   UINT32_C(600000)
#define PACKED_IS   0x31415257u /* "WRA1" */

/* As a floating point number of four bits: unit 4096 ms, where stretch 0 is 8 units. */
#define UNIT_MS  (ARRIVALS_SHORT_MS / 8)
#define SUB_BITS 3

static unsigned stretch_of(uint64_t ms)
{
	uint64_t units = ms / UNIT_MS;
	unsigned top = 63u - (unsigned)__builtin_clzll(units | 1), i;

	i = (top - SUB_BITS) * 8 + (unsigned)((units >> (top - SUB_BITS)) & 7);
	return i < ARRIVALS_STRETCHES ? i : ARRIVALS_STRETCHES - 1;
}

uint64_t arrivals_stretch_ms(unsigned i)
{
	return (uint64_t)(8 + i % 8) * UNIT_MS << (i / 8);
}

static uint64_t sum(const uint16_t *weight, size_t n)
{
	uint64_t ret = 0;

	for (size_t i = 0; i < n; i++)
		ret += weight[i];
	return ret;
}

/* One more; where that is more than are kept, all of them fade by an eighth. */
static void observe(uint16_t *weight, size_t n, unsigned at, unsigned kept)
{
	weight[at] = (uint16_t)(weight[at] + ARRIVALS_ONE);
	if (sum(weight, n) <= kept * ARRIVALS_ONE)
		return;
	for (size_t i = 0; i < n; i++)
		weight[i] = (uint16_t)(weight[i] - (weight[i] + 7) / 8);
}

static void note_idle(struct arrivals *arrivals, uint64_t idle_ms)
{
	int32_t share = arrivals->short_share;

	share += ((idle_ms < ARRIVALS_SHORT_MS ? 65535 : 0) - share) / 16;
	arrivals->short_share = (uint16_t)share;
	if (idle_ms >= ARRIVALS_SHORT_MS)
		observe(arrivals->idle, ARRIVALS_STRETCHES, stretch_of(idle_ms), IDLE_KEPT);
}

/* All that it has used is there again. */
static void end_rush(struct arrivals *arrivals, uint64_t now_ms)
{
	uint64_t cycle = now_ms - arrivals->rush_began_ms;

	observe(arrivals->rush, ARRIVALS_RUSH_MAX, arrivals->rush_peak - 1, RUSHES_KEPT);
	if (cycle > CYCLE_MAX)
		cycle = CYCLE_MAX;
	arrivals->cycle_ms = (uint32_t)(arrivals->cycle_ms ? (arrivals->cycle_ms * UINT64_C(3) + cycle) / 4
	                                                   : cycle + 1);
}

static void note_rush(struct arrivals *arrivals, uint64_t now_ms, uint64_t idle_ms, uint64_t make_ms)
{
	uint64_t used;

	if (idle_ms >= arrivals->owed_ms) {
		if (arrivals->rush_peak)
			end_rush(arrivals, now_ms);
		arrivals->rush_began_ms = now_ms;
		arrivals->rush_peak = 0;
		arrivals->owed_ms = 0;
	} else {
		arrivals->owed_ms -= idle_ms;
	}
	arrivals->owed_ms += make_ms;
	used = (arrivals->owed_ms + make_ms - 1) / make_ms;
	if (used > ARRIVALS_RUSH_MAX)
		used = ARRIVALS_RUSH_MAX;
	if (used > arrivals->rush_peak)
		arrivals->rush_peak = (unsigned)used;
}

void arrivals_note(struct arrivals *arrivals, uint64_t now_ms, uint64_t make_ms)
{
	uint64_t idle_ms = now_ms > arrivals->last_ms ? now_ms - arrivals->last_ms : 0;

	if (arrivals->last_ms)
		note_idle(arrivals, idle_ms);
	note_rush(arrivals, now_ms, idle_ms, make_ms ? make_ms : 1);
	arrivals->last_ms = now_ms;
}

double arrivals_n_idle(const struct arrivals *arrivals)
{
	return (double)sum(arrivals->idle, ARRIVALS_STRETCHES) / ARRIVALS_ONE;
}

double arrivals_n_rushes(const struct arrivals *arrivals)
{
	return (double)sum(arrivals->rush, ARRIVALS_RUSH_MAX) / ARRIVALS_ONE;
}

/* ---- for later --------------------------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, uint32_t value, unsigned bytes)
{
	for (; bytes; bytes--, value >>= 8)
		*at++ = (uint8_t)value;
	return at;
}

static uint32_t get(const uint8_t **at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t) * (*at)++ << (8 * i);
	return value;
}

void arrivals_pack(const struct arrivals *arrivals, uint8_t buf[ARRIVALS_PACKED])
{
	uint8_t *at = put(buf, PACKED_IS, 4);

	at = put(at, arrivals->cycle_ms / 16, 2);
	at = put(at, arrivals->short_share, 2);
	for (unsigned i = 0; i < ARRIVALS_STRETCHES; i++)
		at = put(at, arrivals->idle[i], 2);
	for (unsigned i = 0; i < ARRIVALS_RUSH_MAX; i++)
		at = put(at, arrivals->rush[i], 2);
}

int arrivals_unpack(struct arrivals *arrivals, const void *buf, size_t len)
{
	const uint8_t *at = buf;

	memset(arrivals, 0, sizeof(*arrivals));
	if (len != ARRIVALS_PACKED || get(&at, 4) != PACKED_IS)
		return -EBADMSG;
	arrivals->cycle_ms = get(&at, 2) * 16;
	arrivals->short_share = (uint16_t)get(&at, 2);
	for (unsigned i = 0; i < ARRIVALS_STRETCHES; i++)
		arrivals->idle[i] = (uint16_t)get(&at, 2);
	for (unsigned i = 0; i < ARRIVALS_RUSH_MAX; i++)
		arrivals->rush[i] = (uint16_t)get(&at, 2);
	/* Of a damaged catalog: more than is ever kept would not fade. */
	if (arrivals_n_idle(arrivals) > IDLE_KEPT || arrivals_n_rushes(arrivals) > RUSHES_KEPT) {
		memset(arrivals, 0, sizeof(*arrivals));
		return -EBADMSG;
	}
	return 0;
}
