/* SPDX-License-Identifier: MIT */
#include "policy/pool.h"

#include <stdio.h>

#define SECOND       UINT64_C(1000)
#define MINUTE       (60 * SECOND)
#define USUAL_FOR_MS (10 * MINUTE) /* after its last launch an image keeps its usual standbys for so long, */
#define ONE_FOR_MS   (60 * MINUTE) /* and one for so long, or shorter where it is large */
#define REMAKE_MS    (1 * MINUTE)  /* making a template is as dear as keeping it for so long */

void pool_note_launch(struct pool_history *history, uint64_t now_ms, uint64_t make_ms)
{
	arrivals_note(&history->arrivals, now_ms, make_ms);
	history->before = false;
}

void pool_note_published(struct pool_history *history, uint64_t now_ms)
{
	history->arrivals.last_ms = now_ms;
	history->before = false;
}

uint64_t pool_worth(uint64_t budget_bytes)
{
	return budget_bytes / 64 * USUAL_FOR_MS;
}

static uint64_t idle_ms(const struct pool_history *history, uint64_t now_ms)
{
	return now_ms > history->arrivals.last_ms ? now_ms - history->arrivals.last_ms : 0;
}

/* ---- how many ---------------------------------------------------------------------------------------------------- */

/* The n-th standby is of use in each rush of n and more. To find a standby is worth a quarter of finding the template,
 * and four rushes of one are believed before any is seen. */
static unsigned rush_standbys(const struct arrivals *arrivals, const struct pool_costs *costs)
{
	double n_rushes = arrivals_n_rushes(arrivals) + 4 + (arrivals->rush_peak > 0);
	double held_ms = arrivals->cycle_ms ? (double)arrivals->cycle_ms : (double)USUAL_FOR_MS;
	double least = 4 * (double)costs->standby_bytes * held_ms / ((double)costs->worth + 1), used = 0;

	for (unsigned n = POOL_MOST; n > 1; n--) {
		used += (double)arrivals->rush[n - 1] / ARRIVALS_ONE + (arrivals->rush_peak == n);
		if (used / n_rushes > least)
			return n;
	}
	return 1;
}

static unsigned standbys(const struct pool_history *history, const struct pool_costs *costs, uint64_t idle)
{
	unsigned n = rush_standbys(&history->arrivals, costs);

	return n < POOL_USUAL && idle < USUAL_FOR_MS ? POOL_USUAL : n;
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

#define PIECES ARRIVALS_STRETCHES /* what is short, then each stretch but the last, which has no end */

static uint64_t piece_from(unsigned i)
{
	return i ? arrivals_stretch_ms(i - 1) : 0;
}

static unsigned piece_at(uint64_t idle)
{
	unsigned i = 0;

	while (i < PIECES && piece_from(i + 1) <= idle)
		i++;
	return i;
}

/* Launches that come in each piece, of arrivals_n_idle() and those that are short; what was seen in one is as likely
 * beside it. Returns how many come later than all of them. */
static double launches_in(const struct arrivals *arrivals, double in[PIECES])
{
	double share = (double)arrivals->short_share / 65536, longer = arrivals_n_idle(arrivals);

	in[0] = share * longer / (1 - share);
	for (unsigned i = 1; i < PIECES; i++) {
		double near = 2.0 * arrivals->idle[i - 1] + arrivals->idle[i] + (i > 1 ? arrivals->idle[i - 2] : 0);

		in[i] = near / 4 / ARRIVALS_ONE;
	}
	return (double)arrivals->idle[ARRIVALS_STRETCHES - 1] / ARRIVALS_ONE;
}

/* What the best is that can still be had from each piece on, with the template there and without it: a piece in which
 * it is kept costs memory as long as the launch has not come, and gains by those that come; making it costs, too. */
struct prospect {
	double with[PIECES + 1], without[PIECES + 1], remake[PIECES + 1];
};

static void look_ahead(const struct pool_history *history, const struct pool_costs *costs, struct prospect *ret)
{
	double bytes = (double)(costs->template_bytes + costs->standby_bytes), in[PIECES];
	double left = launches_in(&history->arrivals, in);

	ret->with[PIECES] = ret->without[PIECES] = ret->remake[PIECES] = 0;
	for (unsigned i = PIECES; i-- > 0;) {
		double ms = (double)(piece_from(i + 1) - piece_from(i)), made = ret->with[i + 1] - ret->remake[i + 1];
		double gain = (double)costs->worth * in[i] - bytes * ms * (left + in[i] / 2);

		left += in[i];
		ret->remake[i] = bytes * (double)REMAKE_MS * left;
		ret->with[i] = gain + (ret->with[i + 1] > ret->without[i + 1] ? ret->with[i + 1] : ret->without[i + 1]);
		ret->without[i] = made > ret->without[i + 1] ? made : ret->without[i + 1];
	}
}

static bool pays(const struct prospect *prospect, unsigned piece, bool standing)
{
	return prospect->with[piece] - (standing ? 0 : prospect->remake[piece]) > prospect->without[piece];
}

/* Where what is kept in this piece has been kept since, for who has had the template at the launch. */
static unsigned kept_since(const struct prospect *prospect, unsigned piece)
{
	unsigned since = 0;
	bool on = true;

	for (unsigned i = 0; i < piece; i++) {
		bool now = pays(prospect, i, on);

		if (!now)
			since = i + 1;
		on = now;
	}
	return since;
}

static struct pool_wish learnt(const struct pool_history *history, const struct pool_costs *costs, uint64_t idle,
                               bool standing)
{
	struct pool_wish wish = {.why = POOL_RARE};
	unsigned now = piece_at(idle), from = now, until;
	struct prospect prospect;

	look_ahead(history, costs, &prospect);
	while (from < PIECES && !pays(&prospect, from, standing && from == now))
		from++;
	if (from == PIECES)
		return wish;
	for (until = from + 1; until < PIECES && pays(&prospect, until, true);)
		until++;
	wish.why = POOL_LATER;
	if (from == now) {
		from = kept_since(&prospect, now);
		wish.why = from ? POOL_EXPECTED : POOL_KEPT;
	}
	wish.from_ms = piece_from(from);
	wish.until_ms = piece_from(until);
	wish.kept = wish.why == POOL_EXPECTED || (wish.why == POOL_KEPT && !history->before);
	return wish;
}

static struct pool_wish fixed(const struct pool_history *history, const struct pool_costs *costs, uint64_t idle)
{
	uint64_t keep_ms = costs->worth / (costs->template_bytes + costs->standby_bytes + 1);
	struct pool_wish wish = {.why = POOL_RECENT};

	if (keep_ms < USUAL_FOR_MS)
		keep_ms = USUAL_FOR_MS;
	wish.until_ms = keep_ms < ONE_FOR_MS ? keep_ms : ONE_FOR_MS;
	if (history->before || idle >= wish.until_ms)
		wish.why = POOL_OVER;
	wish.kept = wish.why == POOL_RECENT;
	return wish;
}

struct pool_wish pool_want(const struct pool_history *history, const struct pool_costs *costs, uint64_t now_ms,
                           bool standing)
{
	uint64_t idle = idle_ms(history, now_ms);
	struct pool_wish wish;

	if (history->pinned > 0)
		return (struct pool_wish){.kept = standing || history->pinned > 1,
		                          .standbys = (unsigned)history->pinned - 1,
		                          .why = POOL_PINNED};
	if (!history->arrivals.last_ms)
		return (struct pool_wish){.why = POOL_NEVER};
	wish = arrivals_n_idle(&history->arrivals) >= POOL_ENOUGH ? learnt(history, costs, idle, standing)
	                                                          : fixed(history, costs, idle);
	if (wish.kept)
		wish.standbys = standbys(history, costs, idle);
	return wish;
}

unsigned pool_afford(unsigned want, unsigned have, uint64_t standby_bytes, uint64_t bytes_left)
{
	uint64_t affordable = standby_bytes ? bytes_left / standby_bytes : UINT32_MAX;

	return want > have && want - have > affordable ? have + (unsigned)affordable : want;
}

/* ---- in words ---------------------------------------------------------------------------------------------------- */

static const char *time_words(uint64_t ms, char buf[24])
{
	static const struct {
		uint64_t ms;
		const char *name;
	} units[] = {{24 * 60 * MINUTE, "d"}, {60 * MINUTE, "h"}, {MINUTE, "min"}, {SECOND, "s"}};
	size_t i = 0;

	while (i < 3 && ms < 2 * units[i].ms)
		i++;
	snprintf(buf, 24, "%llu %s", (unsigned long long)((ms + units[i].ms / 2) / units[i].ms), units[i].name);
	return buf;
}

void pool_words(const struct pool_wish *wish, char *buf, size_t size)
{
	char from[24], until[24];

	time_words(wish->from_ms, from);
	time_words(wish->until_ms, until);
	switch (wish->why) {
	case POOL_NEVER:
		snprintf(buf, size, "not launched yet");
		break;
	case POOL_PINNED:
		snprintf(buf, size, "pinned");
		break;
	case POOL_RECENT:
		snprintf(buf, size, "kept for %s behind each launch; how they come is not known yet", until);
		break;
	case POOL_OVER:
		snprintf(buf, size, "none: not launched for long, or since the daemon's start");
		break;
	case POOL_KEPT:
		snprintf(buf, size, "%s %s behind each launch, as the next comes by then",
		         wish->kept ? "kept for"
		                    : "none until the first launch since the daemon's start; then kept for",
		         until);
		break;
	case POOL_EXPECTED:
		snprintf(buf, size, "the next launch is expected: %s to %s behind the last one", from, until);
		break;
	case POOL_LATER:
		snprintf(buf, size, "none: the next launch is expected %s to %s behind the last one", from, until);
		break;
	case POOL_RARE:
		snprintf(buf, size, "none: launches come too rarely for its size");
		break;
	}
}

/* ---- which one goes ---------------------------------------------------------------------------------------------- */

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
