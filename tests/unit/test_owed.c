/* SPDX-License-Identifier: MIT */
/* What address spaces are owed, against a list of pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/pack.h"
#include "pager/owed.h"

#define BASE  UINT64_C(0x7f0000000000)
#define SPAN  3000u
#define MAPS  6
#define NO    0u /* nothing is owed there; pages are numbered from 1 */
#define STEPS 20000

struct naive {
	uint64_t page[SPAN];
};

static uint64_t random_below(uint64_t below)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static uint64_t at(uint64_t i)
{
	return BASE + i * PACK_PAGE;
}

/* Every page, by one walk over the pieces, and a look from each place. */
static void check(const struct owed *owed, const struct naive *naive)
{
	struct naive found = {0};
	struct owed_piece piece;
	uint64_t from = 0;

	while (owed_find(owed, from, &piece)) {
		assert_true(piece.pages > 0 && piece.addr >= from);
		for (uint64_t i = 0; i < piece.pages; i++)
			found.page[(piece.addr - BASE) / PACK_PAGE + i] = piece.page + i;
		from = piece.addr + piece.pages * PACK_PAGE;
	}
	assert_memory_equal(&found, naive, sizeof(found));
}

static void check_place(const struct owed *owed, const struct naive *naive, uint64_t i)
{
	struct owed_piece piece;
	bool there = owed_find(owed, at(i) + random_below(PACK_PAGE), &piece);

	if (naive->page[i] != NO) {
		assert_true(there && piece.addr <= at(i));
		assert_int_equal(piece.page + (at(i) - piece.addr) / PACK_PAGE, naive->page[i]);
		return;
	}
	assert_true(!there || piece.addr > at(i));
	for (uint64_t k = i; k < SPAN && (!there || at(k) < piece.addr); k++)
		assert_int_equal(naive->page[k], NO);
}

static void fill(struct owed *owed, struct naive *naive)
{
	uint64_t i = random_below(10), page = 1;

	memset(naive, 0, sizeof(*naive));
	*owed = (struct owed){0};
	while (i < SPAN) {
		struct owed_piece piece = {at(i), page, 1 + random_below(12)};

		if (piece.pages > SPAN - i)
			piece.pages = SPAN - i;
		assert_int_equal(owed_add(owed, &piece), 0);
		for (uint64_t k = 0; k < piece.pages; k++)
			naive->page[i + k] = page++;
		i += piece.pages + random_below(4);
	}
}

static void drop(struct owed *owed, struct naive *naive)
{
	uint64_t i = random_below(SPAN), n = 1 + random_below(random_below(50) ? 20 : 900);

	if (n > SPAN - i)
		n = SPAN - i;
	assert_int_equal(owed_drop(owed, at(i), at(i + n)), 0);
	memset(naive->page + i, 0, n * sizeof(naive->page[0]));
}

static void move(struct owed *owed, struct naive *naive)
{
	static struct naive was;
	uint64_t n = 1 + random_below(random_below(20) ? 30 : 1000);
	uint64_t from = random_below(SPAN - n), to = random_below(SPAN - n);

	was = *naive;
	assert_int_equal(owed_move(owed, at(from), at(to), n * PACK_PAGE), 0);
	memset(naive->page + from, 0, n * sizeof(naive->page[0]));
	memcpy(naive->page + to, was.page + from, n * sizeof(naive->page[0]));
}

static void add(struct owed *owed, struct naive *naive)
{
	uint64_t i = random_below(SPAN), n = 0;
	struct owed_piece piece = {.addr = at(i), .page = 1 + random_below(100000)};

	while (i + n < SPAN && n < 5 && naive->page[i + n] == NO) {
		naive->page[i + n] = piece.page + n;
		n++;
	}
	piece.pages = n;
	if (n > 0)
		assert_int_equal(owed_add(owed, &piece), 0);
}

static void test_random_walk_equals_the_list(void **state)
{
	static struct naive naive[MAPS];
	struct owed owed[MAPS];

	(void)state;
	for (unsigned m = 0; m < MAPS; m++)
		fill(&owed[m], &naive[m]);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned m = (unsigned)random_below(MAPS), other = (unsigned)random_below(MAPS);
		uint64_t what = random_below(100);

		if (what < 40)
			drop(&owed[m], &naive[m]);
		else if (what < 55)
			move(&owed[m], &naive[m]);
		else if (what < 94)
			add(&owed[m], &naive[m]);
		else if (what < 98 && m != other) {
			owed_fini(&owed[other]);
			assert_int_equal(owed_copy(&owed[m], &owed[other]), 0);
			naive[other] = naive[m];
		} else if (what == 98) {
			owed_fini(&owed[m]);
			fill(&owed[m], &naive[m]);
		}
		check_place(&owed[m], &naive[m], random_below(SPAN));
		check_place(&owed[other], &naive[other], random_below(SPAN));
		if (step % 50 == 0)
			for (unsigned i = 0; i < MAPS; i++)
				check(&owed[i], &naive[i]);
	}
	for (unsigned m = 0; m < MAPS; m++)
		owed_fini(&owed[m]);
}

static void test_nothing_is_owed_in_an_empty_map(void **state)
{
	struct owed owed = {0}, copy;
	struct owed_piece piece;

	(void)state;
	assert_false(owed_find(&owed, 0, &piece));
	assert_int_equal(owed_drop(&owed, 0, UINT64_MAX), 0);
	assert_int_equal(owed_move(&owed, at(0), at(10), 10 * PACK_PAGE), 0);
	assert_int_equal(owed_copy(&owed, &copy), 0);
	assert_false(owed_find(&copy, 0, &piece));
	owed_fini(&copy);
	owed_fini(&owed);
}

static void test_all_is_dropped_at_once(void **state)
{
	static struct naive naive;
	struct owed owed;
	struct owed_piece piece;

	(void)state;
	fill(&owed, &naive);
	assert_int_equal(owed_drop(&owed, 0, UINT64_MAX), 0);
	assert_false(owed_find(&owed, 0, &piece));
	owed_fini(&owed);
}

static void test_a_copy_keeps_what_the_other_loses(void **state)
{
	static struct naive naive;
	struct owed owed, copy;

	(void)state;
	fill(&owed, &naive);
	assert_int_equal(owed_copy(&owed, &copy), 0);
	assert_int_equal(owed_drop(&owed, at(5), at(SPAN - 5)), 0);
	check(&copy, &naive);
	owed_fini(&owed);
	check(&copy, &naive);
	owed_fini(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nothing_is_owed_in_an_empty_map),
	        cmocka_unit_test(test_all_is_dropped_at_once),
	        cmocka_unit_test(test_a_copy_keeps_what_the_other_loses),
	        cmocka_unit_test(test_random_walk_equals_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
