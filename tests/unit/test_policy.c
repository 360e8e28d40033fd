/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "policy/file.h"
#include "policy/histogram.h"
#include "policy/huge.h"
#include "policy/learn.h"

/* ---- files ------------------------------------------------------------------------------------------------------ */

static Warm__Rpc__File note(struct stat *st, mode_t mode)
{
	static char path[] = "/srv/views.py";
	Warm__Rpc__File file = WARM__RPC__FILE__INIT;

	memset(st, 0, sizeof(*st));
	st->st_mode = mode;
	st->st_dev = 1;
	st->st_ino = 2;
	st->st_size = 3;
	st->st_mtim.tv_sec = 4;
	st->st_ctim.tv_nsec = 5;
	file.path = path;
	file_note(&file, st);
	return file;
}

static void check_file(const Warm__Rpc__File *file, const struct stat *st, const struct digest *names, const char *want)
{
	char reason[240] = "";

	assert_int_equal(file_compare(file, st, names, reason, sizeof(reason)), want[0] != 0);
	assert_string_equal(reason, want);
}

static void test_changed_file_is_named(void **state)
{
	struct stat st;
	Warm__Rpc__File file = note(&st, S_IFREG);

	(void)state;
	check_file(&file, &st, NULL, "");
	check_file(&file, NULL, NULL, "/srv/views.py is gone");
	st.st_size++;
	check_file(&file, &st, NULL, "/srv/views.py changed");
	file = note(&st, S_IFREG);
	st.st_mtim.tv_nsec++;
	check_file(&file, &st, NULL, "/srv/views.py changed");
	file = note(&st, S_IFREG);
	st.st_ctim.tv_nsec++;
	check_file(&file, &st, NULL, "/srv/views.py was touched (its status changed)");
	st.st_ino++;
	check_file(&file, &st, NULL, "/srv/views.py was replaced");
}

static void test_log_has_to_be_the_same_one_and_may_grow(void **state)
{
	struct stat st;
	Warm__Rpc__File file = note(&st, S_IFREG);

	(void)state;
	file.same_inode_only = true;
	st.st_size = 1000;
	st.st_mtim.tv_sec = 1000;
	check_file(&file, &st, NULL, "");
	st.st_size = (off_t)file.size - 1;
	check_file(&file, &st, NULL, "/srv/views.py was truncated");
	st.st_dev = 9;
	check_file(&file, &st, NULL, "/srv/views.py was replaced");
}

static void test_device_may_be_used_meanwhile(void **state)
{
	struct stat st;
	Warm__Rpc__File file = note(&st, S_IFCHR);

	(void)state;
	st.st_mtim.tv_sec = 1000;
	check_file(&file, &st, NULL, "");
}

static void test_directory_is_its_names_that_count(void **state)
{
	static char py[] = ".py", sub[] = "/";
	char *suffix[] = {py, sub};
	uint8_t was[DIGEST_SIZE];
	struct digest names;
	struct stat st;
	Warm__Rpc__File file = note(&st, S_IFDIR);

	(void)state;
	file_names_init(&names);
	file_names_add(&names, suffix, 2, "a.py", false);
	file_names_add(&names, suffix, 2, "pkg", true);
	digest_bytes(&names, was);
	file.names_digest.data = was;
	file.names_digest.len = sizeof(was);

	file_names_init(&names);
	file_names_add(&names, suffix, 2, "a.pyc", false);
	file_names_add(&names, suffix, 2, "pkg", true);
	file_names_add(&names, suffix, 2, "a.py", false);
	file_names_add(&names, suffix, 2, "pkg.txt", false);
	st.st_mtim.tv_sec = 1000; /* a cache was written into it */
	check_file(&file, &st, &names, "");
	file_names_add(&names, suffix, 2, "b.py", false);
	check_file(&file, &st, &names, "/srv/views.py has other entries");
	check_file(&file, &st, NULL, "/srv/views.py is no directory any more");
	file_names_init(&names);
	check_file(&file, &st, &names, "/srv/views.py has other entries");
}

static void test_every_name_counts_without_suffixes(void **state)
{
	struct digest a, b;

	(void)state;
	file_names_init(&a);
	file_names_init(&b);
	file_names_add(&b, NULL, 0, "x", true);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

/* ---- what is learnt ------------------------------------------------------------------------------------------- */

static void note_standbys(struct huge_trial *trial, bool huge, uint64_t us)
{
	for (unsigned i = 0; i < HUGE_STANDBYS; i++)
		huge_note(trial, huge, us + i * 50);
}

static void test_huge_pages_are_tried_and_kept_where_they_pay(void **state)
{
	struct huge_trial trial = {{0}, {0}};

	(void)state;
	assert_false(huge_wanted(&trial, HUGE_AUTO, HUGE_FROM_PAGES));
	note_standbys(&trial, false, 2000);
	assert_true(huge_wanted(&trial, HUGE_AUTO, HUGE_FROM_PAGES));
	assert_false(huge_wanted(&trial, HUGE_AUTO, HUGE_FROM_PAGES - 1));
	note_standbys(&trial, true, 1500);
	assert_true(huge_wanted(&trial, HUGE_AUTO, HUGE_FROM_PAGES));
	huge_restart(&trial);
	assert_false(huge_wanted(&trial, HUGE_AUTO, HUGE_FROM_PAGES));
	note_standbys(&trial, true, 1900); /* less than a tenth */
	note_standbys(&trial, false, 2000);
	assert_false(huge_wanted(&trial, HUGE_AUTO, HUGE_FROM_PAGES));
	huge_note(&trial, true, 1700); /* the quickest counts */
	assert_true(huge_wanted(&trial, HUGE_AUTO, HUGE_FROM_PAGES));
	assert_false(huge_wanted(&trial, HUGE_NO, HUGE_FROM_PAGES));
	assert_true(huge_wanted(&(struct huge_trial){{0}, {0}}, HUGE_ALWAYS, 1));
}

static void test_images_learn_from_few_launches_and_much_only(void **state)
{
	(void)state;
	assert_true(learn_more(0) && learn_more(3));
	assert_false(learn_more(4) || learn_more(5));
	assert_false(learn_is_worth(0, 0) || learn_is_worth(0, 1000));
	assert_true(learn_is_worth(1, 0) && learn_is_worth(1, 64) && learn_is_worth(16, 1024));
	assert_false(learn_is_worth(15, 1024));
	assert_true(learn_first(0, SMALL_IMAGE_PAGES + 1));
	assert_false(learn_first(1, SMALL_IMAGE_PAGES + 1) || learn_first(0, SMALL_IMAGE_PAGES));
}

/* ---- histogram -------------------------------------------------------------------------------------------------- */

static void test_quantiles_are_within_a_sixteenth(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 50), 0);
	for (uint64_t us = 1; us <= 100000; us++)
		histogram_add(&histogram, us);
	assert_in_range(histogram_quantile(&histogram, 50), 50000, 53200);
	assert_in_range(histogram_quantile(&histogram, 90), 90000, 95700);
	assert_in_range(histogram_quantile(&histogram, 99), 99000, 105200);
	assert_int_equal(histogram_quantile(&histogram, 0), 1);
	assert_int_equal(histogram.count, 100000);
}

static void test_one_value_is_every_quantile(void **state)
{
	static const uint64_t value[] = {0, 1, 15, 16, 17, 1000, 134217727};

	(void)state;
	for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++) {
		struct histogram histogram = {0};

		histogram_add(&histogram, value[i]);
		assert_in_range(histogram_quantile(&histogram, 1), value[i], value[i] + value[i] / 16);
		assert_in_range(histogram_quantile(&histogram, 100), value[i], value[i] + value[i] / 16);
	}
}

static void test_absurd_latency_lands_in_the_last_bucket(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	histogram_add(&histogram, UINT64_MAX);
	assert_int_equal(histogram_quantile(&histogram, 50), 134217727);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_changed_file_is_named),
	        cmocka_unit_test(test_log_has_to_be_the_same_one_and_may_grow),
	        cmocka_unit_test(test_device_may_be_used_meanwhile),
	        cmocka_unit_test(test_directory_is_its_names_that_count),
	        cmocka_unit_test(test_every_name_counts_without_suffixes),
	        cmocka_unit_test(test_huge_pages_are_tried_and_kept_where_they_pay),
	        cmocka_unit_test(test_images_learn_from_few_launches_and_much_only),
	        cmocka_unit_test(test_quantiles_are_within_a_sixteenth),
	        cmocka_unit_test(test_one_value_is_every_quantile),
	        cmocka_unit_test(test_absurd_latency_lands_in_the_last_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
