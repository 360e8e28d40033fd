/* SPDX-License-Identifier: MIT */
/* Whose files they are, and when the record of a run is of no use: warm-opened without fanotify. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "warmd/opened/family.h"
#include "warmd/opened/mounts.h"
#include "warmd/opened/runs.h"
#include "warmd/opened/sight.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- family ------------------------------------------------------------------------------------------------------ */

static void test_child_belongs_to_its_parents_run(void **state)
{
	struct family *family = family_new();
	pid_t child = sleeper();

	(void)state;
	assert_int_equal(family_add(family, getpid(), 7), 0);
	assert_int_equal(family_of(family, child, false), 7);
	end(child);
	assert_int_equal(family_of(family, child, false), 7); /* its last events come when it is gone */
	family_free(family);
}

static void test_nearest_run_counts(void **state)
{
	struct family *family = family_new();
	pid_t child = sleeper();

	(void)state;
	family_add(family, getppid(), 6);
	family_add(family, child, 8);
	assert_int_equal(family_of(family, child, false), 8);
	assert_int_equal(family_of(family, getpid(), false), 6);
	end(child);
	family_free(family);
}

static void test_stranger_is_asked_again_when_it_executes(void **state)
{
	struct family *family = family_new();
	pid_t child = sleeper();

	(void)state;
	assert_int_equal(family_of(family, child, false), FAMILY_NONE);
	family_add(family, getpid(), 7); /* as if its number had come again */
	assert_int_equal(family_of(family, child, false), FAMILY_NONE);
	assert_int_equal(family_of(family, child, true), 7);
	end(child);
	family_free(family);
}

static void test_who_is_gone_is_a_stray(void **state)
{
	struct family *family = family_new();
	pid_t child = sleeper();

	(void)state;
	family_add(family, getpid(), 7);
	end(child);
	assert_int_equal(family_of(family, child, false), FAMILY_STRAY);
	family_free(family);
}

static void settle(struct family *family)
{
	struct pollfd ended = {.fd = family_fd(family), .events = POLLIN};

	assert_int_equal(poll(&ended, 1, 10000), 1);
	family_note_ended(family);
	family_drop_ended(family);
	assert_int_equal(poll(&ended, 1, 0), 0);
}

static void test_who_has_ended_is_forgotten_once_its_events_are_read(void **state)
{
	struct family *family = family_new();
	pid_t child = sleeper(), stranger = sleeper();

	(void)state;
	assert_int_equal(family_of(family, stranger, false), FAMILY_NONE);
	family_add(family, getpid(), 7);
	assert_int_equal(family_of(family, child, false), 7);
	end(child);
	family_drop_ended(family); /* that was not known yet */
	assert_int_equal(family_of(family, child, false), 7);
	settle(family);
	assert_int_equal(family_of(family, child, false), FAMILY_STRAY);
	assert_int_equal(family_of(family, stranger, false), FAMILY_NONE);
	end(stranger);
	settle(family);
	assert_int_equal(family_of(family, stranger, false), FAMILY_STRAY);
	family_free(family);
}

/* A process of this number. -1: not allowed. */
static pid_t sleeper_of(pid_t pid)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (child == 0)
		for (;;)
			pause();
	return child;
}

static void test_number_that_comes_again_is_somebody_else(void **state)
{
	struct family *family = family_new();
	pid_t pid = sleeper();

	(void)state;
	assert_int_equal(family_of(family, pid, false), FAMILY_NONE);
	end(pid);
	settle(family);
	family_add(family, getpid(), 7);
	if (sleeper_of(pid) != pid) {
		family_free(family);
		skip(); /* takes root, or the number is taken */
	}
	assert_int_equal(family_of(family, pid, false), 7);
	end(pid);
	family_free(family);
}

static void test_members_go_with_their_run(void **state)
{
	struct family *family = family_new();

	(void)state;
	for (pid_t pid = 100000000; pid < 100002000; pid++)
		assert_int_equal(family_add(family, pid, pid % 2 ? 7 : 8), 0);
	family_remove(family, 7);
	assert_int_equal(family_of(family, 100000001, false), FAMILY_STRAY);
	assert_int_equal(family_of(family, 100000002, false), 8);
	family_free(family);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void see(struct runs *runs, pid_t pid, uint64_t object)
{
	struct seen seen = {.pid = pid, .mask = FAN_ACCESS | FAN_CLOSE_NOWRITE, .object = {1, object}, .fd = -1};

	runs_see(runs, &seen);
}

static void expect_lost(struct runs *runs, uint64_t id, const char *words)
{
	Warm__Rpc__Opened *list;
	struct err err;

	assert_true(runs_list(runs, id, &list, &err) < 0);
	assert_string_equal(err.msg, words);
}

static void test_files_without_a_name_are_left_out(void **state)
{
	struct runs *runs = runs_new(NULL);
	Warm__Rpc__Opened *list;
	struct err err;

	(void)state;
	assert_int_equal(runs_add(runs, 5, getpid()), 0);
	for (uint64_t i = 0; i < 3000; i++)
		see(runs, getpid(), i % 1000);
	assert_int_equal(runs_list(runs, 5, &list, &err), 0);
	assert_int_equal(list->n_file, 0);
	warm__rpc__opened__free_unpacked(list, NULL);
	runs_free(runs);
}

static void test_too_many_files(void **state)
{
	struct runs *runs = runs_new(NULL);

	(void)state;
	runs_add(runs, 5, getpid());
	for (uint64_t i = 0; i <= RUN_FILES_MAX; i++)
		see(runs, getpid(), i);
	assert_false(runs_any(runs));
	expect_lost(runs, 5, "it opens too many files");
	runs_free(runs);
}

static void test_run_that_takes_too_long(void **state)
{
	struct runs *runs = runs_new(NULL);
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &now);
	runs_add(runs, 5, getpid());
	runs_expire(runs, (uint64_t)now.tv_sec + RUN_SECONDS);
	assert_true(runs_any(runs));
	runs_expire(runs, (uint64_t)now.tv_sec + RUN_SECONDS + 2);
	assert_false(runs_any(runs)); /* nobody need look any more */
	expect_lost(runs, 5, "it was not ready within ten minutes");
	runs_free(runs);
}

static void test_first_reason_stays(void **state)
{
	struct runs *runs = runs_new(NULL);

	(void)state;
	runs_add(runs, 5, getpid());
	runs_lose(runs, "one");
	runs_lose(runs, "two");
	expect_lost(runs, 5, "one");
	expect_lost(runs, 6, "nobody watched it");
	runs_add(runs, 6, getpid()); /* one that begins later is none of the lost ones */
	assert_true(runs_any(runs));
	runs_drop(runs, 6);
	assert_false(runs_any(runs));
	runs_free(runs);
}

static void test_file_that_cannot_be_told(void **state)
{
	struct seen seen = {.pid = getpid(), .mask = FAN_ACCESS, .fd = -1, .error = EACCES};
	struct runs *runs = runs_new(NULL);
	pid_t stranger = sleeper();

	(void)state;
	runs_add(runs, 5, getpid());
	runs_add(runs, 6, stranger);
	runs_see(runs, &seen); /* what one has read is nothing to the other */
	expect_lost(runs, 5, "a file that was opened cannot be looked at: Permission denied");
	assert_true(runs_any(runs));
	seen.mask = FAN_MODIFY;
	runs_see(runs, &seen); /* what it has written may be */
	expect_lost(runs, 6, "a file that was opened cannot be looked at: Permission denied");
	end(stranger);
	runs_free(runs);
}

/* ---- mounts ------------------------------------------------------------------------------------------------------ */

static void test_mounts_of_real_files(void **state)
{
	char text[] = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
	              "22 21 0:4 / /proc rw - proc proc rw\n"
	              "23 21 0:6 / /dev rw master:2 shared:3 - tmpfs dev rw\n"
	              "nonsense\n"
	              "24 21 0:40 /part\\040one /mnt/a\\134b rw - overlay none rw,lowerdir=/a\n";
	struct mount_line line;
	char *at = text;

	(void)state;
	assert_true(mounts_next(&at, &line));
	assert_int_equal(line.id, 21);
	assert_string_equal(line.device, "8:1");
	assert_string_equal(line.root, "/");
	assert_string_equal(line.path, "/");
	assert_string_equal(line.type, "ext4");
	assert_true(mounts_next(&at, &line));
	assert_int_equal(line.id, 24);
	assert_string_equal(line.root, "/part one");
	assert_string_equal(line.path, "/mnt/a\\b");
	assert_string_equal(line.type, "overlay");
	assert_false(mounts_next(&at, &line));
	assert_false(mounts_next(&at, &line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_child_belongs_to_its_parents_run),
	        cmocka_unit_test(test_nearest_run_counts),
	        cmocka_unit_test(test_stranger_is_asked_again_when_it_executes),
	        cmocka_unit_test(test_who_is_gone_is_a_stray),
	        cmocka_unit_test(test_who_has_ended_is_forgotten_once_its_events_are_read),
	        cmocka_unit_test(test_number_that_comes_again_is_somebody_else),
	        cmocka_unit_test(test_members_go_with_their_run),
	        cmocka_unit_test(test_files_without_a_name_are_left_out),
	        cmocka_unit_test(test_too_many_files),
	        cmocka_unit_test(test_run_that_takes_too_long),
	        cmocka_unit_test(test_first_reason_stays),
	        cmocka_unit_test(test_file_that_cannot_be_told),
	        cmocka_unit_test(test_mounts_of_real_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
