/* SPDX-License-Identifier: MIT */
/*
 * policy/pool on traces of arrivals, in a simulator: how many launches find neither standby nor template (cold), and
 * how much memory is held for how long, against a fixed keep-alive of ten minutes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/arrivals.h"
#include "policy/pool.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)
#define BEGIN  (1000 * MINUTE) /* clocks do not begin with 0 */

/* ---- the simulator ----------------------------------------------------------------------------------------------- */

#define TICK_MS  (10 * SECOND) /* how often the pool is looked at, besides behind each launch */
#define BUILD_MS (1 * SECOND)  /* a template takes so long, */
#define MAKE_MS  10            /* and a standby */

struct trace {
	uint64_t *at;
	size_t n, room;
};

struct outcome {
	double cold, template_, hot; /* shares of launches */
	double mib_s;                /* held, per launch */
	unsigned most;               /* standbys */
};

struct pool {
	struct pool_history history;
	struct pool_costs costs;
	bool adaptive; /* else the fixed keep-alive */
	bool up;       /* the template stands, or is being made: */
	uint64_t ready_at;
	unsigned standbys;
	uint64_t made_at; /* of the latest standby; they are made one after the other */
};

static void trace_add(struct trace *trace, uint64_t at)
{
	if (trace->n == trace->room) {
		trace->room = trace->room * 2 + 64;
		trace->at = realloc(trace->at, trace->room * sizeof(*trace->at));
		assert_non_null(trace->at);
	}
	trace->at[trace->n++] = at;
}

static struct pool_wish pool_ask(const struct pool *pool, uint64_t now)
{
	uint64_t idle = now - pool->history.arrivals.last_ms;

	if (pool->adaptive)
		return pool_want(&pool->history, &pool->costs, now, pool->up);
	return (struct pool_wish){.kept = pool->history.arrivals.last_ms && idle < 10 * MINUTE, .standbys = POOL_USUAL};
}

static void pool_look(struct pool *pool, uint64_t now)
{
	struct pool_wish wish = pool_ask(pool, now);

	if (!wish.kept) {
		pool->up = false;
		pool->standbys = 0;
		return;
	}
	if (!pool->up)
		pool->made_at = pool->ready_at = now + BUILD_MS;
	pool->up = true;
	for (; pool->standbys < wish.standbys && pool->made_at + MAKE_MS <= now; pool->standbys++)
		pool->made_at += MAKE_MS;
	if (pool->standbys >= wish.standbys) {
		pool->standbys = wish.standbys;
		pool->made_at = now;
	}
}

static void pool_launch(struct pool *pool, uint64_t now, struct outcome *outcome)
{
	pool_look(pool, now);
	if (!pool->up || now < pool->ready_at) {
		outcome->cold++;
	} else if (pool->standbys) {
		outcome->hot++;
		pool->standbys--;
	} else {
		outcome->template_++;
	}
	pool_note_launch(&pool->history, now, MAKE_MS);
	pool_look(pool, now);
}

static double held_mib_s(const struct pool *pool, uint64_t ms)
{
	uint64_t bytes = pool->up ? pool->costs.template_bytes + pool->standbys * pool->costs.standby_bytes : 0;

	return (double)bytes / (double)MIB * (double)ms / 1000;
}

/* Counts from `warm_up` launches on: until then nobody can know. */
static struct outcome simulate(const struct trace *trace, bool adaptive, uint64_t template_bytes, size_t warm_up)
{
	struct pool pool = {.adaptive = adaptive, .costs = {template_bytes, 7 * MIB, pool_worth(6 * GIB)}};
	struct outcome ret = {0}, before = {0};
	double n = (double)(trace->n - warm_up);
	uint64_t now = BEGIN, at;

	for (size_t i = 0; i < trace->n; i++) {
		if (i == warm_up)
			before = ret;
		at = BEGIN + trace->at[i];
		while (now < at) {
			uint64_t next = now / TICK_MS * TICK_MS + TICK_MS < at ? now / TICK_MS * TICK_MS + TICK_MS : at;

			ret.mib_s += held_mib_s(&pool, next - now);
			now = next;
			pool_look(&pool, now);
			if (pool.standbys > ret.most)
				ret.most = pool.standbys;
		}
		pool_launch(&pool, now, &ret);
	}
	return (struct outcome){(ret.cold - before.cold) / n, (ret.template_ - before.template_) / n,
	                        (ret.hot - before.hot) / n, (ret.mib_s - before.mib_s) / n, ret.most};
}

/* ---- traces ------------------------------------------------------------------------------------------------------ */

static double uniform(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(*seed >> 11) + 0.5) / 9007199254740992.0;
}

static uint64_t exponential(uint64_t *seed, uint64_t mean_ms)
{
	return (uint64_t)(-log(uniform(seed)) * (double)mean_ms) + 1;
}

static struct trace poisson(uint64_t mean_ms, size_t n)
{
	struct trace trace = {0};
	uint64_t at = 0, seed = 1;

	for (size_t i = 0; i < n; i++)
		trace_add(&trace, at += exponential(&seed, mean_ms));
	return trace;
}

/* A timer whose program is started up to `jitter_ms` late. */
static struct trace periodic(uint64_t period_ms, uint64_t jitter_ms, size_t n)
{
	struct trace trace = {0};
	uint64_t seed = 2;

	for (size_t i = 0; i < n; i++)
		trace_add(&trace, (i + 1) * period_ms + (uint64_t)(uniform(&seed) * (double)jitter_ms));
	return trace;
}

/* `size` launches within a time, again and again. */
static struct trace bursty(uint64_t mean_ms, unsigned size, uint64_t within_ms, size_t n)
{
	struct trace trace = {0};
	uint64_t at = 0, seed = 3;

	while (trace.n < n) {
		at += exponential(&seed, mean_ms);
		for (unsigned i = 0; i < size; i++)
			trace_add(&trace, at += (uint64_t)(uniform(&seed) * 2 * (double)within_ms / size));
	}
	return trace;
}

/* Dense by day, silent by night. */
static struct trace diurnal(uint64_t mean_ms, unsigned days)
{
	struct trace trace = {0};
	uint64_t seed = 4;

	for (unsigned day = 0; day < days; day++)
		for (uint64_t at = day * DAY + 8 * HOUR; (at += exponential(&seed, mean_ms)) < day * DAY + 18 * HOUR;)
			trace_add(&trace, at);
	return trace;
}

struct both {
	struct outcome fixed, adaptive;
};

static struct both compare(const char *name, struct trace trace, uint64_t template_bytes, size_t warm_up)
{
	struct both ret = {simulate(&trace, false, template_bytes, warm_up),
	                   simulate(&trace, true, template_bytes, warm_up)};

	print_message("%-28s fixed: cold %5.1f %%, hot %5.1f %%, %8.0f MiB s a launch; adaptive: cold %5.1f %%, hot "
	              "%5.1f %%, "
	              "%8.0f MiB s, %u standbys\n",
	              name, 100 * ret.fixed.cold, 100 * ret.fixed.hot, ret.fixed.mib_s, 100 * ret.adaptive.cold,
	              100 * ret.adaptive.hot, ret.adaptive.mib_s, ret.adaptive.most);
	free(trace.at);
	return ret;
}

/* ---- what has to come out ---------------------------------------------------------------------------------------- */

static void test_frequent_launches_find_a_standby(void **state)
{
	struct both got = compare("Poisson, 1 min", poisson(MINUTE, 1000), 30 * MIB, 50);

	(void)state;
	assert_true(got.adaptive.cold < 0.01 && got.adaptive.hot > 0.98);
	assert_true(got.adaptive.mib_s < 1.1 * got.fixed.mib_s);
}

/* Where ten minutes are too short by half, a small program is kept for longer, and a large one not at all. */
static void test_memory_is_held_where_it_is_worth_it(void **state)
{
	struct both small = compare("Poisson, 20 min", poisson(20 * MINUTE, 300), 30 * MIB, 50);
	struct both large = compare("Poisson, 20 min, 1 GiB", poisson(20 * MINUTE, 300), GIB, 50);

	(void)state;
	assert_true(small.fixed.cold > 0.5 && small.adaptive.cold < 0.25);
	assert_true(small.adaptive.mib_s < 2.2 * small.fixed.mib_s);
	assert_true(large.adaptive.mib_s < 0.05 * large.fixed.mib_s);
}

static void test_a_timers_launch_is_expected(void **state)
{
	struct both quarter = compare("timer, 15 min", periodic(15 * MINUTE, 10 * SECOND, 100), 30 * MIB, 20);
	struct both hourly = compare("timer, 1 h, 160 MiB", periodic(HOUR, 10 * SECOND, 100), 160 * MIB, 20);

	(void)state;
	assert_true(quarter.fixed.cold == 1 && hourly.fixed.cold == 1);
	assert_true(quarter.adaptive.hot > 0.99 && quarter.adaptive.mib_s < 0.25 * quarter.fixed.mib_s);
	assert_true(hourly.adaptive.hot > 0.99 && hourly.adaptive.mib_s < 0.5 * hourly.fixed.mib_s);
}

static void test_what_is_rare_holds_nothing(void **state)
{
	struct both rare = compare("Poisson, 2 h", poisson(2 * HOUR, 100), 30 * MIB, 20);
	struct both daily = compare("once a day", periodic(DAY, MINUTE, 30), 30 * MIB, 10);

	(void)state;
	assert_true(rare.fixed.cold > 0.85 && rare.adaptive.mib_s < 0.1 * rare.fixed.mib_s);
	assert_true(daily.fixed.cold == 1 && daily.adaptive.mib_s < 0.02 * daily.fixed.mib_s);
}

static void test_rushes_find_as_many_standbys_as_they_use(void **state)
{
	struct both slow = compare("20 within 2 s, 15 min", bursty(15 * MINUTE, 20, 2 * SECOND, 2000), 30 * MIB, 400);
	struct both quick = compare("20 within 40 ms, 2 min", bursty(2 * MINUTE, 20, 40, 4000), 30 * MIB, 400);

	(void)state;
	assert_true(slow.fixed.cold > 0.2 && slow.adaptive.cold < 0.15 && slow.adaptive.most <= 6);
	assert_true(quick.fixed.hot < 0.5 && quick.adaptive.hot > 0.9);
	assert_in_range(quick.adaptive.most, 15, 24);
}

static void test_nights_cost_no_more_than_a_fixed_time(void **state)
{
	struct both got = compare("days of Poisson, 2 min", diurnal(2 * MINUTE, 8), 30 * MIB, 600);

	(void)state;
	assert_true(got.adaptive.cold < 0.02 && got.adaptive.mib_s < 1.1 * got.fixed.mib_s);
}

/* A program that was used all day, and is a timer's from then on. */
static void test_what_is_old_is_forgotten(void **state)
{
	struct trace trace = poisson(2 * MINUTE, 400);
	uint64_t at = trace.at[trace.n - 1];
	struct both got;

	(void)state;
	for (int i = 0; i < 260; i++)
		trace_add(&trace, at += HOUR);
	got = compare("Poisson, then hourly", trace, 30 * MIB, 600);
	assert_true(got.adaptive.hot > 0.95 && got.adaptive.mib_s < 0.75 * got.fixed.mib_s);
}

/* ---- one question at a time -------------------------------------------------------------------------------------- */

static const struct pool_costs usual = {30 * MIB, 7 * MIB, 6 * GIB / 64 * 600000};

static void launch_every(struct pool_history *history, uint64_t *now, uint64_t ms, int n)
{
	for (int i = 0; i < n; i++)
		pool_note_launch(history, *now += ms, MAKE_MS);
}

static void check_words(const struct pool_history *history, uint64_t now, bool standing, const char *want)
{
	struct pool_wish wish = pool_want(history, &usual, now, standing);
	char words[200];

	pool_words(&wish, words, sizeof(words));
	assert_string_equal(words, want);
}

static void test_a_fixed_time_until_more_is_known(void **state)
{
	struct pool_costs large = usual;
	struct pool_history history = {0};
	uint64_t now = BEGIN;

	(void)state;
	assert_false(pool_want(&history, &usual, now, false).kept);
	check_words(&history, now, false, "not launched yet");
	pool_note_published(&history, now);
	assert_true(pool_want(&history, &usual, now, false).kept);
	assert_int_equal(pool_want(&history, &usual, now, false).standbys, 3);
	launch_every(&history, &now, 20 * MINUTE, 4);
	assert_int_equal(pool_want(&history, &usual, now + 9 * MINUTE, true).standbys, 3);
	assert_int_equal(pool_want(&history, &usual, now + 11 * MINUTE, true).standbys, 1);
	check_words(&history, now, false, "kept for 26 min behind each launch; how they come is not known yet");
	assert_false(pool_want(&history, &usual, now + 27 * MINUTE, true).kept);
	large.template_bytes = GIB;
	assert_true(pool_want(&history, &large, now + 9 * MINUTE, true).kept);
	assert_false(pool_want(&history, &large, now + 11 * MINUTE, true).kept);
	large.template_bytes = large.standby_bytes = MIB;
	assert_true(pool_want(&history, &large, now + 59 * MINUTE, true).kept);
	assert_false(pool_want(&history, &large, now + 61 * MINUTE, true).kept);
}

static void test_words_say_when_the_next_is_expected(void **state)
{
	struct pool_history history = {0};
	uint64_t now = BEGIN;

	(void)state;
	launch_every(&history, &now, HOUR, 10);
	check_words(&history, now, false, "none: the next launch is expected 52 min to 66 min behind the last one");
	check_words(&history, now + 60 * MINUTE, false,
	            "the next launch is expected: 52 min to 66 min behind the last one");
	check_words(&history, now + 3 * HOUR, false, "none: launches come too rarely for its size");
	launch_every(&history, &now, 40 * SECOND, 40);
	check_words(&history, now, true, "kept for 45 s behind each launch, as the next comes by then");
}

/* Neither a build behind each launch of a timer, nor one that goes with the launch. */
static void test_a_timers_template_is_not_made_behind_its_launch(void **state)
{
	struct pool_history history = {0};
	uint64_t now = BEGIN;

	(void)state;
	launch_every(&history, &now, HOUR, 10);
	assert_false(pool_want(&history, &usual, now, false).kept);
	assert_false(pool_want(&history, &usual, now, true).kept);
	for (uint64_t s = 0; s < 3000; s++)
		assert_false(pool_want(&history, &usual, now + s * SECOND, false).kept);
}

static void test_pinned_number_holds(void **state)
{
	struct pool_history history = {.pinned = 5 + 1};

	(void)state;
	assert_int_equal(pool_want(&history, &usual, BEGIN, false).standbys, 5);
	assert_true(pool_want(&history, &usual, BEGIN, false).kept);
	history.pinned = 0 + 1;
	pool_note_launch(&history, BEGIN, MAKE_MS);
	assert_int_equal(pool_want(&history, &usual, BEGIN, true).standbys, 0);
	assert_true(pool_want(&history, &usual, BEGIN + 9 * DAY, true).kept);
	assert_false(pool_want(&history, &usual, BEGIN, false).kept);
}

static void test_nothing_is_made_at_the_start_but_for_who_is_expected(void **state)
{
	struct pool_history recent = {0}, timer = {0};
	uint64_t now = BEGIN;

	(void)state;
	launch_every(&timer, &now, HOUR, 10);
	now = BEGIN;
	for (int i = 0; i < 90; i++) {
		launch_every(&recent, &now, 10 * SECOND, 3);
		launch_every(&recent, &now, 40 * SECOND, 1);
	}
	recent.before = timer.before = true;
	assert_false(pool_want(&recent, &usual, now, false).kept);
	check_words(&recent, now, false,
	            "none until the first launch since the daemon's start; then kept for 45 s behind each "
	            "launch, as the next comes by then");
	assert_true(pool_want(&timer, &usual, timer.arrivals.last_ms + HOUR, false).kept);
	pool_note_launch(&recent, now += MINUTE, MAKE_MS);
	assert_true(pool_want(&recent, &usual, now, false).kept);
}

static void test_budget_limits_new_standbys_only(void **state)
{
	(void)state;
	assert_int_equal(pool_afford(3, 0, 10, 25), 2);
	assert_int_equal(pool_afford(3, 2, 10, 5), 2);
	assert_int_equal(pool_afford(3, 3, 10, 0), 3);
	assert_int_equal(pool_afford(3, 0, 0, 0), 3);
	assert_int_equal(pool_afford(1, 3, 10, 0), 1);
}

static void test_least_useful_template_goes_first(void **state)
{
	struct pool_template templates[] = {
	        {.history.arrivals.last_ms = 100 * SECOND, .bytes = 10},
	        {.history.arrivals.last_ms = 1 * SECOND, .bytes = 10},
	        {.history.arrivals.last_ms = 100 * SECOND, .bytes = 10000},
	        {.history = {.arrivals.last_ms = 1, .pinned = 2}, .bytes = GIB},
	};

	(void)state;
	assert_int_equal(pool_evict(templates, 2, 101 * SECOND), 1);
	assert_int_equal(pool_evict(templates, 4, 101 * SECOND), 2);
	assert_int_equal(pool_evict(templates + 3, 1, 101 * SECOND), -1);
	assert_int_equal(pool_evict(NULL, 0, 1), -1);
}

/* ---- arrivals ---------------------------------------------------------------------------------------------------- */

static void test_stretches_follow_one_another(void **state)
{
	(void)state;
	assert_int_equal(arrivals_stretch_ms(0), ARRIVALS_SHORT_MS);
	for (unsigned i = 0; i + 1 < ARRIVALS_STRETCHES; i++) {
		uint64_t from = arrivals_stretch_ms(i), to = arrivals_stretch_ms(i + 1);
		struct arrivals first = {.last_ms = 1}, last = {.last_ms = 1};

		assert_in_range(to - from, from / 16, from / 8);
		arrivals_note(&first, 1 + from, MAKE_MS);
		arrivals_note(&last, 1 + to - 1, MAKE_MS);
		assert_int_equal(first.idle[i], ARRIVALS_ONE);
		assert_int_equal(last.idle[i], ARRIVALS_ONE);
	}
	assert_true(arrivals_stretch_ms(ARRIVALS_STRETCHES - 1) > 14 * DAY);
}

static void test_no_number_of_launches_is_too_much(void **state)
{
	struct arrivals arrivals = {0};
	uint64_t now = BEGIN;

	(void)state;
	for (int i = 0; i < 100000; i++)
		arrivals_note(&arrivals, now += (i % 7 ? MINUTE : 40 * DAY), MAKE_MS);
	assert_true(arrivals_n_idle(&arrivals) > 100 && arrivals_n_idle(&arrivals) <= 128);
	assert_true(arrivals_n_rushes(&arrivals) > 50 && arrivals_n_rushes(&arrivals) <= 64);
	for (int i = 0; i < 100000; i++)
		arrivals_note(&arrivals, now, MAKE_MS);
	assert_int_equal(arrivals.rush_peak, ARRIVALS_RUSH_MAX);
	assert_true(arrivals_n_idle(&arrivals) > 100);
	arrivals_note(&arrivals, now - DAY, 0); /* a clock that goes back, and nothing known of making */
	assert_true(arrivals_n_rushes(&arrivals) <= 64);
}

static void test_packed_arrivals_come_back(void **state)
{
	struct arrivals arrivals = {0}, back;
	uint8_t buf[ARRIVALS_PACKED], again[ARRIVALS_PACKED];
	uint64_t now = BEGIN;

	(void)state;
	for (int i = 0; i < 1000; i++)
		arrivals_note(&arrivals, now += (i % 3 ? SECOND : 10 * MINUTE + (uint64_t)i), MAKE_MS);
	arrivals_pack(&arrivals, buf);
	assert_int_equal(arrivals_unpack(&back, buf, sizeof(buf)), 0);
	arrivals_pack(&back, again);
	assert_memory_equal(buf, again, sizeof(buf));
	assert_memory_equal(back.idle, arrivals.idle, sizeof(back.idle));
	assert_true(arrivals_unpack(&back, buf, sizeof(buf) - 1) < 0);
	assert_int_equal(arrivals_unpack(&back, NULL, 0), -EBADMSG);
	buf[0] ^= 1;
	assert_int_equal(arrivals_unpack(&back, buf, sizeof(buf)), -EBADMSG);
	buf[0] ^= 1;
	memset(buf + 8, 0xff, 200);
	assert_int_equal(arrivals_unpack(&back, buf, sizeof(buf)), -EBADMSG);
	assert_int_equal(back.short_share, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_frequent_launches_find_a_standby),
	        cmocka_unit_test(test_memory_is_held_where_it_is_worth_it),
	        cmocka_unit_test(test_a_timers_launch_is_expected),
	        cmocka_unit_test(test_what_is_rare_holds_nothing),
	        cmocka_unit_test(test_rushes_find_as_many_standbys_as_they_use),
	        cmocka_unit_test(test_nights_cost_no_more_than_a_fixed_time),
	        cmocka_unit_test(test_what_is_old_is_forgotten),
	        cmocka_unit_test(test_a_fixed_time_until_more_is_known),
	        cmocka_unit_test(test_words_say_when_the_next_is_expected),
	        cmocka_unit_test(test_a_timers_template_is_not_made_behind_its_launch),
	        cmocka_unit_test(test_pinned_number_holds),
	        cmocka_unit_test(test_nothing_is_made_at_the_start_but_for_who_is_expected),
	        cmocka_unit_test(test_budget_limits_new_standbys_only),
	        cmocka_unit_test(test_least_useful_template_goes_first),
	        cmocka_unit_test(test_stretches_follow_one_another),
	        cmocka_unit_test(test_no_number_of_launches_is_too_much),
	        cmocka_unit_test(test_packed_arrivals_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
