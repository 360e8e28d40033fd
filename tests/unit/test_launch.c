/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "policy/launch.h"
#include "proto/rop.h"

struct made {
	struct launch_traits launch, standby;
	struct launch_brings brings;
	uint8_t buf[GO_SIZE_MAX];
	struct go_header header;
	struct rop op[256];
};

static struct made made;

static int fresh(void **state)
{
	(void)state;
	memset(&made, 0, sizeof(made));
	made.brings.launch = &made.launch;
	made.brings.standby = &made.standby;
	made.brings.umask = -1;
	for (int i = 0; i < LAUNCH_N_LIMITS; i++)
		made.launch.limit[i] = made.standby.limit[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	return 0;
}

static void build(unsigned n_ops)
{
	struct err err = {0};
	int size = launch_build_go(&made.brings, made.buf, &err);

	assert_string_equal(err.msg, "");
	assert_true(size >= (int)sizeof(made.header));
	memcpy(&made.header, made.buf, sizeof(made.header));
	assert_int_equal(made.header.magic, GO_MAGIC);
	assert_int_equal(made.header.size, size);
	assert_int_equal(made.header.n_ops, n_ops);
	assert_int_equal(made.header.n_fds, SLOT_EXTRA + made.brings.n_extra);
	memcpy(made.op, made.buf + sizeof(made.header), n_ops * sizeof(struct rop));
	for (unsigned i = 0; i < n_ops; i++) {
		assert_int_equal(made.op[i].kind, ROP_SYSCALL);
		for (int arg = 0; arg < 6; arg++) {
			if (made.op[i].flags & ROP_OFFSET(arg))
				assert_in_range(made.op[i].args[arg], sizeof(made.header) + n_ops * sizeof(struct rop),
				                size - 1);
		}
	}
}

static const void *at(uint64_t offset)
{
	return made.buf + offset;
}

static void test_nothing_to_bring_is_no_operation(void **state)
{
	(void)state;
	build(0);
	assert_int_equal(made.header.size, sizeof(struct go_header));
}

static void test_held_objects_that_are_handed_over_stand_in_the_header(void **state)
{
	(void)state;
	made.brings.skip = UINT64_C(1) << 63 | 2;
	build(0);
	assert_true(made.header.skip == made.brings.skip);
}

static void test_only_limits_that_differ_are_set(void **state)
{
	uint64_t value[2];

	(void)state;
	made.launch.limit[RLIMIT_NOFILE] = (struct rlimit){64, 128};
	build(1);
	assert_int_equal(made.op[0].nr, SYS_prlimit64);
	assert_int_equal(made.op[0].args[0], 0);
	assert_int_equal(made.op[0].args[1], RLIMIT_NOFILE);
	assert_int_equal(made.op[0].args[3], 0);
	memcpy(value, at(made.op[0].args[2]), sizeof(value));
	assert_int_equal(value[0], 64);
	assert_int_equal(value[1], 128);
}

static void test_descriptors_are_placed_before_limits(void **state)
{
	static const int32_t extra[] = {3, 17};

	(void)state;
	made.brings.extra = extra;
	made.brings.n_extra = 2;
	made.launch.limit[RLIMIT_NOFILE] = (struct rlimit){10, 10};
	build(3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(made.op[i].nr, SYS_dup3);
		assert_int_equal(made.op[i].flags, ROP_SLOT(0));
		assert_int_equal(made.op[i].args[0], SLOT_EXTRA + i);
		assert_int_equal(made.op[i].args[1], extra[i]);
		assert_int_equal(made.op[i].args[2], 0);
	}
	assert_int_equal(made.op[2].nr, SYS_prlimit64);
}

static void test_sockets_that_are_handed_over_take_their_places(void **state)
{
	static const int32_t extra[] = {3, 4};
	static const struct launch_place place[] = {
	        {.number = 4, .fd = 7, .cloexec = true, .status_flags = O_RDWR | O_NONBLOCK},
	        {.number = 4, .fd = 9, .status_flags = -1},
	};

	(void)state;
	made.brings.extra = extra;
	made.brings.n_extra = 2;
	made.brings.no_place = 2; /* number 4 is the snapshot's */
	made.brings.place = place;
	made.brings.n_places = 2;
	build(4);
	assert_int_equal(made.op[0].args[1], 3);
	assert_int_equal(made.op[1].nr, SYS_dup3);
	assert_int_equal(made.op[1].args[0], SLOT_EXTRA + 1);
	assert_int_equal(made.op[1].args[1], 7);
	assert_int_equal(made.op[1].args[2], O_CLOEXEC);
	assert_int_equal(made.op[2].nr, SYS_fcntl);
	assert_int_equal(made.op[2].args[1], F_SETFL);
	assert_int_equal(made.op[2].args[2], O_RDWR | O_NONBLOCK);
	assert_int_equal(made.op[3].args[1], 9);
	assert_int_equal(made.op[3].args[2], 0);
}

static void test_descriptors_out_of_range_are_refused(void **state)
{
	static const int32_t high[] = {LAUNCH_FD_END}, low[] = {2};
	struct err err = {0};

	(void)state;
	made.brings.extra = high;
	made.brings.n_extra = 1;
	assert_int_equal(launch_build_go(&made.brings, made.buf, &err), -E2BIG);
	made.brings.extra = low;
	assert_int_equal(launch_build_go(&made.brings, made.buf, &err), -E2BIG);
	made.brings.n_extra = GO_FDS_MAX - SLOT_EXTRA;
	assert_int_equal(launch_build_go(&made.brings, made.buf, &err), -E2BIG);
}

static void test_cwd_umask_and_scheduling_follow(void **state)
{
	static const int32_t tids[] = {2, 3};

	(void)state;
	made.brings.cwd = "/srv/app";
	made.brings.umask = 027;
	made.brings.tids = tids;
	made.brings.n_tids = 2;
	made.launch.cpus[0] = 1;
	made.standby.cpus[0] = 3;
	made.launch.nice = -5;
	build(6);
	assert_int_equal(made.op[0].nr, SYS_chdir);
	assert_string_equal(at(made.op[0].args[0]), "/srv/app");
	assert_int_equal(made.op[1].nr, SYS_umask);
	assert_int_equal(made.op[1].args[0], 027);
	for (int i = 2; i < 5; i++) {
		assert_int_equal(made.op[i].nr, SYS_sched_setaffinity);
		assert_int_equal(made.op[i].args[0], i == 2 ? 0 : tids[i - 3]);
		assert_int_equal(*(const uint8_t *)at(made.op[i].args[2]), 1);
	}
	assert_int_equal(made.op[5].nr, SYS_setpriority);
	assert_int_equal((int64_t)made.op[5].args[2], -5);
}

static void test_unknown_affinity_is_left_alone(void **state)
{
	(void)state;
	made.standby.cpus[0] = 3;
	build(0);
}

static void test_thread_is_named_as_the_launchs_file(void **state)
{
	(void)state;
	made.brings.comm = "script.py";
	build(1);
	assert_int_equal(made.op[0].nr, SYS_prctl);
	assert_int_equal(made.op[0].args[0], PR_SET_NAME);
	assert_string_equal(at(made.op[0].args[1]), "script.py");
	made.brings.comm = NULL;
}

static void test_oom_score_is_written_through_a_slot(void **state)
{
	(void)state;
	made.launch.oom_score_adj = 500;
	build(3);
	assert_int_equal(made.op[0].nr, SYS_openat);
	assert_true(made.op[0].flags & ROP_TO_SLOT);
	assert_int_equal(made.op[0].expect, SLOT_EXTRA);
	assert_string_equal(at(made.op[0].args[1]), "/proc/self/oom_score_adj");
	assert_int_equal(made.op[1].nr, SYS_write);
	assert_true(made.op[1].flags & ROP_SLOT(0));
	assert_int_equal(made.op[1].args[0], SLOT_EXTRA);
	assert_memory_equal(at(made.op[1].args[1]), "500", 3);
	assert_int_equal(made.op[1].args[2], 3);
	assert_int_equal(made.op[2].nr, SYS_close);
}

static void test_launch_too_big_for_a_message_is_refused(void **state)
{
	struct err err = {0};
	char *cwd = malloc(GO_SIZE_MAX + 1);
	int32_t *tids = calloc(300, sizeof(*tids));

	(void)state;
	memset(cwd, 'x', GO_SIZE_MAX);
	cwd[GO_SIZE_MAX] = 0;
	made.brings.cwd = cwd;
	assert_int_equal(launch_build_go(&made.brings, made.buf, &err), -E2BIG);
	cwd[GO_SIZE_MAX - 40] = 0; /* fits the buffer for bytes, not the message behind its operation */
	assert_int_equal(launch_build_go(&made.brings, made.buf, &err), -E2BIG);
	made.brings.cwd = NULL;
	made.launch.cpus[0] = 1;
	made.brings.tids = tids;
	made.brings.n_tids = 300;
	assert_int_equal(launch_build_go(&made.brings, made.buf, &err), -E2BIG);
	free(cwd);
	free(tids);
}

static struct launch_traits first, own, settled;

static void settle(int number, struct rlimit at_first, struct rlimit set, struct rlimit brought)
{
	first = own = settled = made.launch;
	first.limit[number] = at_first;
	own.limit[number] = set;
	settled.limit[number] = brought;
	launch_traits_settle(&first, &own, &settled);
}

static void check_limit(int number, rlim_t soft, rlim_t hard)
{
	assert_int_equal(settled.limit[number].rlim_cur, soft);
	assert_int_equal(settled.limit[number].rlim_max, hard);
}

static void test_what_a_program_has_set_it_keeps(void **state)
{
	(void)state;
	made.launch.nice = 3;
	made.launch.cpus[0] = 3;
	first = own = settled = made.launch;
	first.nice = own.nice = 0;
	first.cpus[0] = own.cpus[0] = 1;
	launch_traits_settle(&first, &own, &settled); /* it has set nothing: all is the launch's */
	assert_memory_equal(&settled, &made.launch, sizeof(settled));
	own.nice = 7;
	own.oom_score_adj = 500;
	own.cpus[0] = 2;
	launch_traits_settle(&first, &own, &settled);
	assert_int_equal(settled.nice, 7);
	assert_int_equal(settled.oom_score_adj, 500);
	assert_int_equal(settled.cpus[0], 2);
}

static void test_limits_that_a_program_has_set_it_keeps(void **state)
{
	const struct rlimit usual = {256, 4096};

	(void)state;
	settle(RLIMIT_NOFILE, usual, (struct rlimit){300, 4096}, (struct rlimit){512, 2048});
	check_limit(RLIMIT_NOFILE, 300, 2048);
	settle(RLIMIT_NOFILE, usual, (struct rlimit){4096, 4096}, (struct rlimit){512, 2048});
	check_limit(RLIMIT_NOFILE, 2048, 2048); /* raised as far as it may be */
	settle(RLIMIT_NOFILE, usual, (struct rlimit){4096, 4096}, (struct rlimit){512, RLIM_INFINITY});
	check_limit(RLIMIT_NOFILE, RLIM_INFINITY, RLIM_INFINITY);
	settle(RLIMIT_CORE, usual, (struct rlimit){0, 0}, (struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	check_limit(RLIMIT_CORE, 0, 0);
	settle(RLIMIT_AS, usual, (struct rlimit){256, 1000},
	       (struct rlimit){800, 900}); /* the hard one, above the launch's */
	check_limit(RLIMIT_AS, 800, 900);
	settle(RLIMIT_AS, usual, (struct rlimit){256, 300}, (struct rlimit){800, 900});
	check_limit(RLIMIT_AS, 300, 300);
	settle(RLIMIT_AS, usual, (struct rlimit){500, 4096},
	       (struct rlimit){100, 200}); /* never more than the launch may have */
	check_limit(RLIMIT_AS, 200, 200);
}

static void check_forbidden(const char *words)
{
	struct err err = {0};

	assert_int_equal(launch_build_go(&made.brings, made.buf, &err), -EPERM);
	assert_non_null(strstr(err.msg, words));
}

static void test_what_a_clone_may_not_set_is_refused(void **state)
{
	(void)state;
	made.launch.nice = -5;
	made.standby.limit[RLIMIT_NICE] = made.launch.limit[RLIMIT_NICE] = (struct rlimit){0, 0};
	check_forbidden("niceness -5");
	made.brings.caps = UINT64_C(1) << 23; /* CAP_SYS_NICE */
	build(1);
	made.brings.caps = 0;
	made.standby.limit[RLIMIT_NICE].rlim_cur = made.launch.limit[RLIMIT_NICE].rlim_cur = 24;
	check_forbidden("niceness -5");
	made.standby.limit[RLIMIT_NICE].rlim_cur = made.launch.limit[RLIMIT_NICE].rlim_cur = 25;
	build(1);
	made.launch.nice = 0;
	made.standby.limit[RLIMIT_NOFILE] = (struct rlimit){64, 64};
	check_forbidden("a hard limit");
	made.brings.caps = UINT64_C(1) << 24; /* CAP_SYS_RESOURCE */
	build(1);
}

#define TEST(fn) cmocka_unit_test_setup(fn, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_nothing_to_bring_is_no_operation),
	        TEST(test_held_objects_that_are_handed_over_stand_in_the_header),
	        TEST(test_only_limits_that_differ_are_set),
	        TEST(test_sockets_that_are_handed_over_take_their_places),
	        TEST(test_descriptors_are_placed_before_limits),
	        TEST(test_descriptors_out_of_range_are_refused),
	        TEST(test_cwd_umask_and_scheduling_follow),
	        TEST(test_unknown_affinity_is_left_alone),
	        TEST(test_thread_is_named_as_the_launchs_file),
	        TEST(test_oom_score_is_written_through_a_slot),
	        TEST(test_what_a_program_has_set_it_keeps),
	        TEST(test_limits_that_a_program_has_set_it_keeps),
	        TEST(test_what_a_clone_may_not_set_is_refused),
	        TEST(test_launch_too_big_for_a_message_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
