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
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "cache/store.h"

static char top[64];

static int make_top(void **state)
{
	(void)state;
	strcpy(top, "/tmp/warm-store-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static struct store *open_root(const char *name)
{
	char root[128];
	struct store *store = NULL;
	struct err err = {0};

	snprintf(root, sizeof(root), "%s/%s", top, name);
	assert_int_equal(store_open(root, &store, &err), 0);
	return store;
}

static void put_file(struct store *store, const char *name)
{
	CLEAN(fd) int fd = openat(store_dir_fd(store), name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "image", 5), 5);
}

static void test_root_is_made_private(void **state)
{
	struct store *store = open_root("a/b/cache");
	struct stat st;

	(void)state;
	assert_int_equal(stat(store_root(store), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstat(store_dir_fd(store), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	store_close(store);
}

static void test_root_that_others_may_write_to_is_refused(void **state)
{
	char root[128];
	struct store *store = NULL;
	struct err err = {0};

	(void)state;
	snprintf(root, sizeof(root), "%s/shared", top);
	assert_int_equal(mkdir(root, 0700), 0);
	assert_int_equal(chmod(root, 0777), 0);
	assert_int_equal(store_open(root, &store, &err), -EPERM);
	assert_non_null(strstr(err.msg, "may be written to by others (mode 0777): `chmod 700 "));
	if (geteuid() == 0) {
		assert_int_equal(chmod(root, 0700), 0);
		assert_int_equal(chown(root, 12345, 12345), 0);
		assert_int_equal(store_open(root, &store, &err), -EPERM);
		assert_non_null(strstr(err.msg, "belongs to uid 12345"));
	}
	assert_int_equal(store_open("/dev/null/x", &store, &err), -ENOTDIR);
}

static void test_image_is_opened_until_it_is_deleted(void **state)
{
	struct store *store = open_root("c");
	struct err err = {0};
	char name[STORE_NAME_MAX];
	int fd = -1;

	(void)state;
	assert_int_equal(store_open_image(store, "0123456789ab", &fd, &err), STORE_GONE);
	put_file(store, store_image_name("0123456789ab", name));
	assert_string_equal(name, "0123456789ab.warm");
	assert_int_equal(store_open_image(store, "0123456789ab", &fd, &err), 0);
	close(fd);
	put_file(store, "0123456789ab.warm.tmp");
	assert_int_equal(store_delete_image(store, "0123456789ab", &err), 0);
	assert_int_equal(faccessat(store_dir_fd(store), "0123456789ab.warm.tmp", F_OK, 0), -1);
	assert_int_equal(store_delete_image(store, "0123456789ab", &err), STORE_GONE);
	assert_int_equal(store_open_image(store, "0123456789ab", &fd, &err), STORE_GONE);
	store_close(store);
}

static bool keeps(void *arg, const char *id)
{
	return strcmp(arg, id) == 0;
}

static int count_image(void *arg, const char *id, const struct stat *st)
{
	assert_int_equal(strlen(id), ID_LEN);
	assert_int_equal(st->st_size, 5);
	++*(int *)arg;
	return 0;
}

static void test_sweep_removes_what_nobody_knows(void **state)
{
	static const char *const name[] = {"aaaaaaaaaaaa.warm",     "bbbbbbbbbbbb.warm", "cccccccccccc.warm.tmp",
	                                   "aaaaaaaaaaaa.warm.tmp", "notes.txt",         "AAAAAAAAAAAA.warm"};
	struct store *store = open_root("d");
	struct store_swept swept;
	struct err err = {0};
	char known[] = "aaaaaaaaaaaa";
	int n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		put_file(store, name[i]);
	assert_int_equal(store_each(store, count_image, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_sweep(store, keeps, known, &swept, &err), 0);
	assert_int_equal(swept.files, 2);
	n = 0;
	assert_int_equal(store_each(store, count_image, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(faccessat(store_dir_fd(store), "notes.txt", F_OK, 0), 0);
	assert_int_equal(faccessat(store_dir_fd(store), "aaaaaaaaaaaa.warm.tmp", F_OK, 0), 0);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_root_is_made_private),
	        cmocka_unit_test(test_root_that_others_may_write_to_is_refused),
	        cmocka_unit_test(test_image_is_opened_until_it_is_deleted),
	        cmocka_unit_test(test_sweep_removes_what_nobody_knows),
	};

	return cmocka_run_group_tests(tests, make_top, remove_top);
}
