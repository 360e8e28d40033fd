/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/catalog.h"
#include "cache/pack.h"
#include "cache/store.h"
#include "proto/rpc.pb-c.h"

/* Each test has a root of its own. */
struct fixture {
	char root[64];
	struct store *store;
	struct catalog *catalog;
	char log[4096];
};

static void keep_line(void *arg, const char *line)
{
	struct fixture *fix = arg;
	size_t len = strlen(fix->log);

	snprintf(fix->log + len, sizeof(fix->log) - len, "%s\n", line);
}

static void open_catalog(struct fixture *fix)
{
	struct err err = {0};
	int ret;

	fix->log[0] = 0;
	ret = catalog_open(fix->store, keep_line, fix, &fix->catalog, &err);
	assert_string_equal(err.msg, "");
	assert_int_equal(ret, 0);
}

static int set_up(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));
	struct err err = {0};

	strcpy(fix->root, "/tmp/warm-catalog-XXXXXX");
	if (!mkdtemp(fix->root) || store_open(fix->root, &fix->store, &err) < 0)
		return -1;
	open_catalog(fix);
	*state = fix;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fix = *state;
	char command[128];
	int ret;

	catalog_close(fix->catalog);
	store_close(fix->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", fix->root);
	ret = system(command);
	free(fix);
	return ret;
}

static void insert(struct fixture *fix, const char *id, const char *name, uint32_t uid, uint64_t created)
{
	static char arg0[] = "/bin/app", arg1[] = "", arg2[] = "x y";
	char *command[] = {arg0, arg1, arg2};
	struct catalog_row row = {.name = (char *)(uintptr_t)name,
	                          .command = command,
	                          .n_command = 3,
	                          .state = CATALOG_PUBLISHED,
	                          .uid = uid,
	                          .created = created,
	                          .last_used = created,
	                          .processes = 1,
	                          .threads = 5,
	                          .rss_bytes = 1u << 30,
	                          .stored_bytes = 77};
	struct err err = {0};

	strcpy(row.id, id);
	assert_int_equal(catalog_insert(fix->catalog, &row, &err), 0);
}

static int find(struct fixture *fix, const char *key, uint32_t uid, char id[ID_LEN + 1])
{
	struct catalog_row row;
	struct err err = {0};
	int ret = catalog_find(fix->catalog, key, uid, &row, &err);

	id[0] = 0;
	if (ret == 0) {
		strcpy(id, row.id);
		catalog_row_fini(&row);
	}
	return ret;
}

static void test_row_comes_back_after_a_restart(void **state)
{
	struct fixture *fix = *state;
	struct catalog_row row;
	struct err err = {0};

	insert(fix, "0123456789ab", NULL, 1000, 5);
	catalog_close(fix->catalog);
	open_catalog(fix);
	assert_string_equal(fix->log, "");
	assert_int_equal(catalog_find(fix->catalog, "0123456789ab", 1000, &row, &err), 0);
	assert_string_equal(row.name, "");
	assert_null(row.reason);
	assert_int_equal(row.n_command, 3);
	assert_string_equal(row.command[0], "/bin/app");
	assert_string_equal(row.command[1], "");
	assert_string_equal(row.command[2], "x y");
	assert_null(row.command[3]);
	assert_string_equal(catalog_state_name(row.state), "published");
	assert_int_equal(row.rss_bytes, 1u << 30);
	assert_int_equal(row.stored_bytes, 77);
	catalog_row_fini(&row);
}

static void test_second_row_of_one_id_is_refused(void **state)
{
	struct catalog_row row = {.id = "0123456789ab"};
	struct fixture *fix = *state;
	struct err err = {0};

	insert(fix, "0123456789ab", "n", 0, 5);
	assert_int_equal(catalog_insert(fix->catalog, &row, &err), -EEXIST);
}

static void test_lookup_takes_id_then_name_then_prefix(void **state)
{
	struct fixture *fix = *state;
	char id[ID_LEN + 1];

	insert(fix, "aaaa00000001", "web", 0, 1);
	insert(fix, "aaaa00000002", "worker", 0, 2);
	insert(fix, "bbbb00000001", "aaaa", 0, 3);
	assert_int_equal(find(fix, "aaaa00000002", 0, id), 0);
	assert_int_equal(find(fix, "aaaa0", 0, id), CATALOG_AMBIGUOUS);
	assert_int_equal(find(fix, "aaaa", 0, id), 0);
	assert_string_equal(id, "bbbb00000001");
	assert_int_equal(find(fix, "bb", 0, id), 0);
	assert_string_equal(id, "bbbb00000001");
	assert_int_equal(find(fix, "web", 0, id), 0);
	assert_string_equal(id, "aaaa00000001");
	assert_int_equal(find(fix, "", 0, id), CATALOG_NONE);
	assert_int_equal(find(fix, "%", 0, id), CATALOG_NONE);
	assert_int_equal(find(fix, "aaaa000000011", 0, id), CATALOG_NONE);
}

static void test_lookup_prefers_newest_published(void **state)
{
	struct fixture *fix = *state;
	struct err err = {0};
	char id[ID_LEN + 1];

	insert(fix, "aaaa00000001", "web", 0, 1);
	insert(fix, "aaaa00000002", "web", 0, 3);
	insert(fix, "aaaa00000003", "web", 0, 2);
	assert_int_equal(find(fix, "web", 0, id), 0);
	assert_string_equal(id, "aaaa00000002");
	assert_int_equal(catalog_update_state(fix->catalog, "aaaa00000002", CATALOG_QUARANTINED, "broke", &err), 0);
	assert_int_equal(find(fix, "web", 0, id), 0);
	assert_string_equal(id, "aaaa00000003");
}

static void test_another_user_does_not_find_it(void **state)
{
	struct fixture *fix = *state;
	char id[ID_LEN + 1];

	insert(fix, "aaaa00000001", "web", 1000, 1);
	assert_int_equal(find(fix, "aaaa00000001", 1001, id), CATALOG_NONE);
	assert_int_equal(find(fix, "web", 0, id), CATALOG_NONE);
	assert_int_equal(find(fix, "aa", 1001, id), CATALOG_NONE);
	assert_int_equal(find(fix, "aa", CATALOG_ANY_UID, id), 0);
}

static void test_state_uses_and_deletion(void **state)
{
	struct fixture *fix = *state;
	struct catalog_use use[] = {{"aaaa00000001", 3, 50, "first", 5},
	                            {"cccc00000000", 1, 60, "other", 5},
	                            {"aaaa00000001", 1, 40, "last", 4}};
	struct catalog_row row;
	struct err err = {0};

	insert(fix, "aaaa00000001", "web", 0, 1);
	assert_int_equal(catalog_touch(fix->catalog, use, 3, &err), 0);
	assert_int_equal(catalog_update_state(fix->catalog, "aaaa00000001", CATALOG_QUARANTINED, "it crashed", &err),
	                 0);
	assert_int_equal(catalog_update_stored(fix->catalog, "aaaa00000001", 99, &err), 0);
	assert_int_equal(catalog_find(fix->catalog, "web", 0, &row, &err), 0);
	assert_int_equal(row.hits, 4);
	assert_int_equal(row.last_used, 50);
	assert_int_equal(row.n_arrivals, 4);
	assert_memory_equal(row.arrivals, "last", 4);
	assert_int_equal(row.stored_bytes, 99);
	assert_int_equal(row.state, CATALOG_QUARANTINED);
	assert_string_equal(row.reason, "it crashed");
	catalog_row_fini(&row);
	assert_int_equal(catalog_delete(fix->catalog, "aaaa00000001", &err), 0);
	assert_int_equal(catalog_delete(fix->catalog, "aaaa00000001", &err), CATALOG_NONE);
	assert_int_equal(catalog_update_state(fix->catalog, "aaaa00000001", CATALOG_PUBLISHED, NULL, &err),
	                 CATALOG_NONE);
}

static int join_ids(void *arg, const struct catalog_row *row)
{
	strcat(arg, row->id);
	return strcmp(row->id, "cccc00000000") == 0 ? 7 : 0;
}

static void test_list_is_in_order_of_age(void **state)
{
	struct fixture *fix = *state;
	struct err err = {0};
	char ids[100] = "";

	insert(fix, "bbbb00000000", NULL, 0, 1);
	insert(fix, "aaaa00000000", NULL, 0, 2);
	insert(fix, "cccc00000000", NULL, 5, 3);
	insert(fix, "dddd00000000", NULL, 0, 4);
	assert_int_equal(catalog_list(fix->catalog, 0, join_ids, ids, &err), 0);
	assert_string_equal(ids, "bbbb00000000aaaa00000000dddd00000000");
	ids[0] = 0;
	assert_int_equal(catalog_list(fix->catalog, CATALOG_ANY_UID, join_ids, ids, &err), 7);
	assert_string_equal(ids, "bbbb00000000aaaa00000000cccc00000000");
}

/* ---- loss ------------------------------------------------------------------------------------------------------- */

static void put_image(struct fixture *fix, const char *id, const char *recorded_id)
{
	char text[ID_LEN + 1], name[STORE_NAME_MAX], label[] = "web", arg0[] = "/bin/app", arg1[] = "-v";
	Warm__Rpc__Record record = WARM__RPC__RECORD__INIT;
	Warm__Rpc__Conditions conditions = WARM__RPC__CONDITIONS__INIT;
	Warm__Rpc__Summary summary = WARM__RPC__SUMMARY__INIT;
	ProtobufCBinaryData argv[] = {{8, (uint8_t *)arg0}, {2, (uint8_t *)arg1}};
	uint8_t packed[1024];
	CLEAN(fd) int pages = memfd_create("pages", MFD_CLOEXEC);
	struct pack_source source = {.section = {"meta", packed}, .section_len = {4, 0}, .pages_fd = pages};
	CLEAN(fd)
	int fd = openat(store_dir_fd(fix->store), store_image_name(id, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct err err = {0};

	strcpy(text, recorded_id);
	record.id = text;
	record.name = label;
	record.created = 42;
	record.conditions = &conditions;
	record.summary = &summary;
	conditions.uid = 1000;
	conditions.argv = argv;
	conditions.n_argv = 2;
	summary.threads = 4;
	source.section_len[1] = warm__rpc__record__pack(&record, packed);
	assert_int_equal(pack_write(fd, &source, NULL, &err), 0);
}

static void write_catalog(struct fixture *fix, const char *text)
{
	char path[128];
	CLEAN(fd) int fd = -1;

	snprintf(path, sizeof(path), "%s/catalog.db", fix->root);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static bool there(struct fixture *fix, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", fix->root, name);
	return access(path, F_OK) == 0;
}

static void check_filed_again(struct fixture *fix)
{
	struct catalog_row row;
	struct err err = {0};

	assert_int_equal(catalog_find(fix->catalog, "web", 1000, &row, &err), 0);
	assert_string_equal(row.id, "aaaa00000001");
	assert_int_equal(row.state, CATALOG_PUBLISHED);
	assert_int_equal(row.created, 42);
	assert_int_equal(row.threads, 4);
	assert_int_equal(row.n_command, 2);
	assert_string_equal(row.command[1], "-v");
	catalog_row_fini(&row);
}

static void test_damaged_catalog_is_made_again_from_the_images(void **state)
{
	static const char garbage[] =
	        "this is no database at all, however long it may be made to look like one............";
	struct fixture *fix = *state;

	for (int round = 0; round < 2; round++) {
		put_image(fix, "aaaa00000001", "aaaa00000001");
		catalog_close(fix->catalog);
		write_catalog(fix, garbage);
		open_catalog(fix);
		assert_non_null(strstr(fix->log, "catalog.db is damaged: it was set aside as "));
		assert_non_null(strstr(fix->log, "1 snapshot was filed again"));
		check_filed_again(fix);
	}
	assert_true(there(fix, "catalog.db.damaged") && there(fix, "catalog.db.damaged.1"));
	catalog_close(fix->catalog);
	open_catalog(fix);
	assert_string_equal(fix->log, "");
}

static void set_user_version(struct fixture *fix, uint8_t version)
{
	char path[128];
	CLEAN(fd) int fd = -1;

	snprintf(path, sizeof(path), "%s/catalog.db", fix->root);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(fd_pwrite_full(fd, &version, 1, 63), 0); /* big-endian, at offset 60 of the SQLite header */
}

static void test_catalog_of_another_version_is_set_aside(void **state)
{
	struct fixture *fix = *state;

	put_image(fix, "aaaa00000001", "aaaa00000001");
	catalog_close(fix->catalog);
	set_user_version(fix, 9);
	open_catalog(fix);
	assert_non_null(strstr(fix->log, "has version 9, this warmd knows version 6: it was set aside as "));
	assert_true(there(fix, "catalog.db.version-9"));
	check_filed_again(fix);
}

static void test_image_without_a_row_is_filed_again(void **state)
{
	struct fixture *fix = *state;

	insert(fix, "bbbb00000001", NULL, 0, 1);
	put_image(fix, "aaaa00000001", "aaaa00000001");
	put_image(fix, "bbbb00000001", "bbbb00000001");
	catalog_close(fix->catalog);
	open_catalog(fix);
	assert_string_equal(fix->log, "1 snapshot was filed again from the images\n");
	check_filed_again(fix);
}

static void test_unreadable_image_is_quarantined_with_its_reason(void **state)
{
	struct fixture *fix = *state;
	struct catalog_row row;
	struct err err = {0};

	put_image(fix, "aaaa00000001", "cccc00000001");
	put_image(fix, "dddd00000001", "dddd00000001");
	assert_int_equal(unlinkat(store_dir_fd(fix->store), "eeee00000001.warm", 0), -1);
	{
		CLEAN(fd) int fd = openat(store_dir_fd(fix->store), "dddd00000001.warm", O_WRONLY | O_CLOEXEC);

		assert_int_equal(ftruncate(fd, 5000), 0);
	}
	catalog_close(fix->catalog);
	open_catalog(fix);
	assert_int_equal(catalog_find(fix->catalog, "aaaa00000001", CATALOG_ANY_UID, &row, &err), 0);
	assert_int_equal(row.state, CATALOG_QUARANTINED);
	assert_string_equal(row.reason, "image aaaa00000001: it was made as cccc00000001; `warm rm` it");
	catalog_row_fini(&row);
	assert_int_equal(catalog_find(fix->catalog, "dd", CATALOG_ANY_UID, &row, &err), 0);
	assert_int_equal(row.state, CATALOG_QUARANTINED);
	assert_non_null(strstr(row.reason, "its length differs"));
	catalog_row_fini(&row);
}

static void test_catalog_that_cannot_be_opened_says_so(void **state)
{
	struct fixture *fix = *state;
	struct catalog *catalog = NULL;
	struct err err = {0};
	char path[128];

	catalog_close(fix->catalog);
	fix->catalog = NULL;
	snprintf(path, sizeof(path), "%s/catalog.db", fix->root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(catalog_open(fix->store, NULL, NULL, &catalog, &err) < 0);
	assert_non_null(strstr(err.msg, "catalog.db: unable to open database file"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_row_comes_back_after_a_restart),
	        TEST(test_second_row_of_one_id_is_refused),
	        TEST(test_lookup_takes_id_then_name_then_prefix),
	        TEST(test_lookup_prefers_newest_published),
	        TEST(test_another_user_does_not_find_it),
	        TEST(test_state_uses_and_deletion),
	        TEST(test_list_is_in_order_of_age),
	        TEST(test_damaged_catalog_is_made_again_from_the_images),
	        TEST(test_catalog_of_another_version_is_set_aside),
	        TEST(test_image_without_a_row_is_filed_again),
	        TEST(test_unreadable_image_is_quarantined_with_its_reason),
	        TEST(test_catalog_that_cannot_be_opened_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
