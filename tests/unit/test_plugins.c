/* SPDX-License-Identifier: MIT */
/* What is installed, which of it is trusted, and what is said of a plugin that is none: without a program or a clone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "plugins/place.h"
#include "plugins/plugins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUILT_MAX (16 << 20)

/* A folder of plugins. */
struct folder {
	char dir[32];
	struct plugins_place place;
	int fd;
};

static int setup(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));
	struct err err;

	assert_non_null(folder);
	strcpy(folder->dir, "/tmp/warm-test-XXXXXX");
	assert_non_null(mkdtemp(folder->dir));
	folder->place.dir = folder->dir;
	assert_int_equal(place_open(&folder->place, &folder->fd, &err), 0);
	*state = folder;
	return 0;
}

static int teardown(void **state)
{
	struct folder *folder = *state;
	char command[64];

	clean_fd(&folder->fd);
	snprintf(command, sizeof(command), "rm -rf %s", folder->dir);
	assert_int_equal(system(command), 0);
	free(folder);
	return 0;
}

static void put(const struct folder *folder, const char *file, const void *bytes, size_t len, mode_t mode)
{
	CLEAN(fd) int fd = openat(folder->fd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, bytes, len, 0), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

/* What was built, under another name. */
static void install(const struct folder *folder, const char *built, const char *file)
{
	const char *build = getenv("WARM_BUILD");
	CLEAN(free) char *bytes = NULL;
	char path[512];
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/%s", build ? build : "build", built);
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, BUILT_MAX, &bytes, &len), 0);
	put(folder, file, bytes, len, 0755);
}

static void install_plugin(const struct folder *folder, const char *name)
{
	char built[64], file[64];

	snprintf(built, sizeof(built), "tests/plugins/%s.so", name);
	snprintf(file, sizeof(file), "%s.so", name);
	install(folder, built, file);
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */

static void test_names_in_order_without_those_that_are_off(void **state)
{
	static const char *const files[] = {
	        "b.so", "a.so",   ".hidden.so", "text",   "nine.so",
	        ".so",  "off.so", "offer.so",   "c.so.1", "0123456789012345678901234567890123456789.so"};
	struct folder *folder = *state;
	const struct plugins_place place = {.dir = folder->dir, .off = "nine,off,gone"};
	struct plugin_names names;
	struct err err;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		put(folder, files[i], "", 0, 0644);
	assert_int_equal(place_list(&place, folder->fd, &names, &err), 0);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.name[0], "a");
	assert_string_equal(names.name[1], "b");
	assert_string_equal(names.name[2], "offer");
	plugin_names_fini(&names);
}

static void test_switched_off_by_whole_names(void **state)
{
	const struct plugins_place place = {.off = "one,three"}, none = {0}, empty = {.off = ""};

	(void)state;
	assert_true(place_is_off(&place, "one"));
	assert_true(place_is_off(&place, "three"));
	assert_false(place_is_off(&place, "thr"));
	assert_false(place_is_off(&place, "one,three"));
	assert_false(place_is_off(&place, ""));
	assert_false(place_is_off(&none, "one"));
	assert_false(place_is_off(&empty, "one"));
}

static void test_a_name_does_not_lead_out_of_the_folder(void **state)
{
	static const char *const names[] = {"../../bin/x", "..", ".", "", "/etc/x", "sub/x", ".x"};
	struct folder *folder = *state;
	struct err err;
	int fd;

	put(folder, ".x.so", "", 0, 0644);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_false(place_has(folder->fd, names[i]));
		assert_int_equal(place_open_plugin(folder->fd, names[i], &fd, &err), -EINVAL);
	}
}

static void test_only_what_nobody_else_may_write(void **state)
{
	struct folder *folder = *state;
	struct err err;
	int fd = -1;

	put(folder, "mine.so", "", 0, 0644);
	put(folder, "groups.so", "", 0, 0664);
	put(folder, "everybodys.so", "", 0, 0646);
	assert_int_equal(mkdirat(folder->fd, "folder.so", 0755), 0);
	assert_int_equal(place_open_plugin(folder->fd, "mine", &fd, &err), 0);
	clean_fd(&fd);
	assert_int_equal(place_open_plugin(folder->fd, "groups", &fd, &err), -ENOTSUP);
	assert_non_null(strstr(err.msg, "plugin groups can be written by others"));
	assert_int_equal(place_open_plugin(folder->fd, "everybodys", &fd, &err), -ENOTSUP);
	assert_int_equal(place_open_plugin(folder->fd, "folder", &fd, &err), -ENOTSUP);

	assert_int_equal(fchmod(folder->fd, 0775), 0);
	assert_int_equal(place_open(&folder->place, &fd, &err), -ENOTSUP);
	assert_non_null(strstr(err.msg, folder->dir));
}

static void test_no_folder_is_an_error_where_one_was_named(void **state)
{
	const struct plugins_place place = {.dir = "/tmp/warm-test-no-such-folder"};
	struct plugins *plugins = NULL;
	struct err err;

	(void)state;
	assert_int_equal(plugins_load(&plugins, &place, &err), -ENOENT);
	assert_non_null(strstr(err.msg, place.dir));
	plugins_free(plugins);
}

/* ---- what is said of it ------------------------------------------------------------------------------------------ */

struct said {
	char text[4096];
};

static void note(void *arg, const struct plugin_told *plugin)
{
	struct said *said = arg;
	size_t len = strlen(said->text);

	if (plugin->path[0]) {
		assert_non_null(strstr(plugin->path, plugin->name));
		assert_int_equal(plugin->path[0], '/');
	}
	snprintf(said->text + len, sizeof(said->text) - len, "%s %u: %s\n", plugin->name, plugin->abi,
	         plugin->wrong ? plugin->wrong->msg : plugin->words);
}

static void expect_said(const struct plugins_place *place, const char *words)
{
	struct said said = {""};
	struct err err;

	assert_int_equal(plugins_check(place, note, &said, &err), 0);
	if (!strstr(said.text, words))
		fail_msg("said: %s", said.text);
}

static void test_tables(void **state)
{
	struct folder *folder = *state;
	char words[128];

	install_plugin(folder, "witness");
	install_plugin(folder, "wrong_abi");
	install_plugin(folder, "short_table");
	install_plugin(folder, "no_paths");
	install_plugin(folder, "wrong_name");
	expect_said(&folder->place, "witness 1: does what its name says\n");
	expect_said(&folder->place, "wrong_abi 0: plugin wrong_abi speaks ABI 2, and this Warm speaks 1: ");
	snprintf(words, sizeof(words),
	         "short_table 0: plugin short_table says ABI 1, but its table has 24 bytes instead of %zu: ",
	         offsetof(struct warm_plugin, stopped));
	expect_said(&folder->place, words);
	expect_said(&folder->place, "no_paths 0: plugin no_paths says ABI 1, but its table is not complete: ");
	expect_said(&folder->place, "wrong_name 0: plugin wrong_name calls itself somebody: ");
}

static void test_what_is_no_plugin(void **state)
{
	struct folder *folder = *state;

	put(folder, "text.so", "not a library\n", 14, 0644);
	install(folder, "libwarm.so", "strange.so");
	expect_said(&folder->place, "text 0: plugin text cannot be loaded: ");
	expect_said(&folder->place, "strange 0: plugin strange is no plugin: it has no symbol warm_plugin: ");
}

static void test_switched_off_is_said_and_not_loaded(void **state)
{
	struct folder *folder = *state;
	const struct plugins_place place = {.dir = folder->dir, .off = "hang_load"};
	struct plugins *plugins = NULL;
	struct err err;

	install_plugin(folder, "hang_load");
	install_plugin(folder, "memfile");
	expect_said(&place, "hang_load 0: switched off ([plugins] disable)\nmemfile 1: ");
	expect_said(&(const struct plugins_place){.dir = folder->dir, .off = "hang_load,hang,memfile"},
	            "hang_load 0: switched off ([plugins] disable)\nmemfile 0: switched off ([plugins] disable)\n"
	            "hang 0: [plugins] disable names it, and it is not installed\n");
	assert_int_equal(plugins_load(&plugins, &place, &err), 0);
	assert_int_equal(plugins_need(&plugins, &place, "memfile", &err), 0); /* it is there */
	assert_int_equal(plugins_need(&plugins, &place, "hang_load", &err), -ENOENT);
	assert_string_equal(err.msg, "it needs the plugin hang_load, which is switched off ([plugins] disable)");
	assert_int_equal(plugins_need(&plugins, &place, "absent", &err), -ENOENT);
	assert_string_equal(err.msg, "it needs the plugin absent, which is not installed");
	plugins_free(plugins);
}

static int plan_of_version(struct plugins *plugins, uint32_t version, struct err *err)
{
	const struct warm_object process = {.kind = WARM_PROCESS, .path = "/bin/true"};
	struct plugin_plan plan = {0};
	int r = plugins_plan(plugins, "witness", version, &process, (const uint8_t *)"seen", 5, 4096, &plan, err);

	if (r == 0)
		assert_int_equal(plan.n_calls, 3);
	plugin_plan_fini(&plan);
	return r;
}

static void test_what_another_version_saved(void **state)
{
	struct folder *folder = *state;
	struct plugins *plugins = NULL;
	struct err err;

	install_plugin(folder, "witness"); /* of version 3, understands 2 */
	assert_int_equal(plugins_need(&plugins, &folder->place, "witness", &err), 0);
	assert_int_equal(plan_of_version(plugins, 3, &err), 0);
	assert_int_equal(plan_of_version(plugins, 2, &err), 0);
	assert_int_equal(plan_of_version(plugins, 1, &err), -ENOTSUP);
	assert_non_null(strstr(err.msg, "plugin witness: what its version 1 saved, version 3 does not understand: "));
	assert_int_equal(plan_of_version(plugins, 4, &err), -ENOTSUP);
	plugins_free(plugins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_names_in_order_without_those_that_are_off, setup, teardown),
	        cmocka_unit_test(test_switched_off_by_whole_names),
	        cmocka_unit_test_setup_teardown(test_a_name_does_not_lead_out_of_the_folder, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_only_what_nobody_else_may_write, setup, teardown),
	        cmocka_unit_test(test_no_folder_is_an_error_where_one_was_named),
	        cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_what_is_no_plugin, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_switched_off_is_said_and_not_loaded, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_what_another_version_saved, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
