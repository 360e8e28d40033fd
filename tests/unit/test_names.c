/* SPDX-License-Identifier: MIT */
/* What of a launch may name a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "policy/names.h"

#define WORDS_MAX 8

/* A launch of /opt/app in /srv, its texts read only, whatever protobuf-c's types say. */
struct launch {
	Warm__Rpc__Conditions conditions;
	ProtobufCBinaryData argv[WORDS_MAX], env[WORDS_MAX];
};

static char *text(const char *of)
{
	return (char *)(uintptr_t)of;
}

static ProtobufCBinaryData bytes(const char *of)
{
	return (ProtobufCBinaryData){.len = strlen(of), .data = (uint8_t *)text(of)};
}

static size_t fill(ProtobufCBinaryData *to, const char *const *word)
{
	size_t n = 0;

	for (; *word; word++)
		to[n++] = bytes(*word);
	return n;
}

static void start(struct launch *launch, const char *const *argv, const char *const *env)
{
	Warm__Rpc__Conditions *conditions = &launch->conditions;

	warm__rpc__conditions__init(conditions);
	conditions->cmd = text("/opt/app");
	conditions->cwd = bytes("/srv");
	conditions->argv = launch->argv;
	conditions->n_argv = fill(launch->argv, argv);
	conditions->env = launch->env;
	conditions->n_env = fill(launch->env, env);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING    ((const char *const[]){NULL})

struct found {
	char *path[64];
	size_t n;
};

static int note(void *arg, const char *path)
{
	struct found *found = arg;

	assert_true(found->n < 64);
	assert_int_equal(path[0], '/');
	found->path[found->n++] = strdup(path);
	return 0;
}

static bool has(const struct found *found, const char *path)
{
	for (size_t i = 0; i < found->n; i++) {
		if (!strcmp(found->path[i], path))
			return true;
	}
	return false;
}

static void find(const struct launch *launch, struct found *found)
{
	*found = (struct found){0};
	assert_int_equal(names_each(&launch->conditions, NULL, note, found), 0);
}

static void done(struct found *found)
{
	for (size_t i = 0; i < found->n; i++)
		free(found->path[i]);
}

static void expect(const struct launch *launch, const char *const *wanted)
{
	struct found found;

	find(launch, &found);
	for (; *wanted; wanted++) {
		if (!has(&found, *wanted))
			fail_msg("%s was not found", *wanted);
	}
	done(&found);
}

static void expect_not(const struct launch *launch, const char *const *unwanted)
{
	struct found found;

	find(launch, &found);
	for (; *unwanted; unwanted++) {
		if (has(&found, *unwanted))
			fail_msg("%s was found", *unwanted);
	}
	done(&found);
}

static void test_words_and_their_values(void **state)
{
	struct launch launch;

	(void)state;
	start(&launch, WORDS("app", "cur/main", "--conf=settings", "-Dkey=/a/b"), NOTHING);
	expect(&launch, WORDS("/opt/app", "/srv/cur/main", "/srv/settings", "/a/b"));
}

static void test_letters_and_marks_in_front(void **state)
{
	struct launch launch;

	(void)state;
	start(&launch, WORDS("-I/inc/x", "-fone.conf", "@words", "file:///c/d"), NOTHING);
	expect(&launch, WORDS("/inc/x", "/srv/one.conf", "/srv/words", "///c/d"));
}

static void test_lists(void **state)
{
	struct launch launch;

	(void)state;
	start(&launch, WORDS("--path=/e/f,/g/h", "/i/j:k/l;/m/n"), WORDS("LIST=/a/x:b/y", "ONE=/a:b"));
	expect(&launch, WORDS("/e/f", "/g/h", "/i/j", "/srv/k/l", "/m/n", "/a/x", "/srv/b/y", "/a:b"));
}

static void test_what_no_name_can_be(void **state)
{
	char long_word[PATH_MAX + 2] = "/";
	struct launch launch;
	struct found found;

	(void)state;
	memset(long_word + 1, 'x', PATH_MAX);
	start(&launch, WORDS("", "import os\nprint('/etc/fstab')", long_word), WORDS("WORD=yes", "EMPTY=", "NONE"));
	find(&launch, &found);
	assert_int_equal(found.n, 1); /* the command */
	assert_string_equal(found.path[0], "/opt/app");
	done(&found);
}

static void test_without_a_directory_only_absolute_names(void **state)
{
	struct launch launch;

	(void)state;
	start(&launch, WORDS("cur/main", "/a/b"), NOTHING);
	launch.conditions.cwd = (ProtobufCBinaryData){0};
	expect(&launch, WORDS("/a/b"));
}

static void test_what_is_the_launchs_does_not_count(void **state)
{
	char *declared[] = {text("LIST")};
	struct launch launch;

	(void)state;
	start(&launch, WORDS("app", "/own/one", "/its/two"), WORDS("LIST=/a/x", "CONF=/e/conf", "PWD=/never"));
	expect(&launch, WORDS("/its/two", "/a/x", "/e/conf"));
	expect_not(&launch, WORDS("/never"));
	launch.conditions.argv_from_launch = true;
	launch.conditions.fixed_args = 2;
	launch.conditions.env_from_launch = declared;
	launch.conditions.n_env_from_launch = 1;
	expect(&launch, WORDS("/own/one", "/e/conf"));
	expect_not(&launch, WORDS("/its/two", "/a/x"));
}

static int stop(void *arg, const char *path)
{
	++*(int *)arg;
	return strcmp(path, "/a/b") ? 0 : -7;
}

static void test_who_listens_may_end_it(void **state)
{
	struct launch launch;
	int n = 0;

	(void)state;
	start(&launch, WORDS("/a/b", "/c/d"), WORDS("X=/e/f"));
	assert_int_equal(names_each(&launch.conditions, NULL, stop, &n), -7);
	assert_int_equal(n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_words_and_their_values),
	        cmocka_unit_test(test_letters_and_marks_in_front),
	        cmocka_unit_test(test_lists),
	        cmocka_unit_test(test_what_no_name_can_be),
	        cmocka_unit_test(test_without_a_directory_only_absolute_names),
	        cmocka_unit_test(test_what_is_the_launchs_does_not_count),
	        cmocka_unit_test(test_who_listens_may_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
