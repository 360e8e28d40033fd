/* SPDX-License-Identifier: MIT */
/* The SDK's handmade messages against the generated codec of proto/rpc.proto. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/launch.h"
#include "proto/rpc.pb-c.h"
#include "sdk/c/launch.h"
#include "sdk/c/wire.h"

static Warm__Rpc__Request *decode(const struct wire *wire)
{
	uint32_t magic;

	assert_false(wire->failed);
	assert_true(wire->len >= sizeof(magic));
	memcpy(&magic, wire->data, sizeof(magic));
	assert_int_equal(magic, RPC_MAGIC);
	return warm__rpc__request__unpack(NULL, wire->len - sizeof(magic), wire->data + sizeof(magic));
}

static void test_hello_reads_back(void **state)
{
	struct wire wire = {0};
	Warm__Rpc__Request *request;

	(void)state;
	wire_put_hello(&wire, true);
	request = decode(&wire);
	assert_non_null(request);
	assert_int_equal(request->op_case, WARM__RPC__REQUEST__OP_HELLO);
	assert_true(request->hello->interpreter);
	assert_int_equal(OUTCOME_PENDING, WARM__RPC__OUTCOME__PENDING);
	assert_int_equal(OUTCOME_UNWANTED, WARM__RPC__OUTCOME__UNWANTED);
	warm__rpc__request__free_unpacked(request, NULL);
	wire_fini(&wire);
}

static void test_ready_reads_back(void **state)
{
	char *env[] = {(char[]){"TZ"}, (char[]){"SHOP_*"}};
	const struct wire_ready ready = {300, true, 1, false, env, 2, "c 1", true, "a note", "a reason"};
	struct wire wire = {0};
	Warm__Rpc__Request *request;

	(void)state;
	wire_put_ready(&wire, &ready);
	request = decode(&wire);
	assert_non_null(request);
	assert_int_equal(request->op_case, WARM__RPC__REQUEST__OP_READY);
	assert_int_equal(request->ready->hook_fd, 300);
	assert_true(request->ready->argv_from_launch);
	assert_false(request->ready->cwd_from_launch);
	assert_int_equal(request->ready->fixed_args, 1);
	assert_int_equal(request->ready->n_env_from_launch, 2);
	assert_string_equal(request->ready->env_from_launch[1], "SHOP_*");
	assert_string_equal(request->ready->sdk, "c 1");
	assert_true(request->ready->interpreter);
	assert_string_equal(request->ready->note, "a note");
	assert_string_equal(request->ready->refused, "a reason");
	warm__rpc__request__free_unpacked(request, NULL);
	wire_fini(&wire);
}

static void test_depends_are_split_to_fit_and_none_is_lost(void **state)
{
	enum { N = 5000 };
	char *suffix[] = {(char[]){"/"}, (char[]){".js"}};
	char **path = calloc(N, sizeof(*path));
	size_t next = 0, datagrams = 0;

	(void)state;
	assert_non_null(path);
	for (size_t i = 0; i < N; i++)
		assert_true(asprintf(&path[i], "/srv/shop/%0*zu", (int)(1 + i % 200), i) > 0);
	while (next < N) {
		struct wire wire = {0};
		size_t taken = wire_put_depends(&wire, path + next, N - next, suffix, 2, MESSAGE_MAX);
		Warm__Rpc__Request *request = decode(&wire);

		assert_true(taken > 0);
		assert_true(wire.len <= MESSAGE_MAX);
		assert_non_null(request);
		assert_int_equal(request->op_case, WARM__RPC__REQUEST__OP_DEPENDS);
		assert_int_equal(request->depends->n_item, taken);
		for (size_t i = 0; i < taken; i++) {
			assert_string_equal(request->depends->item[i]->path, path[next + i]);
			assert_int_equal(request->depends->item[i]->n_suffix, 2);
			assert_string_equal(request->depends->item[i]->suffix[1], ".js");
		}
		next += taken;
		datagrams++;
		warm__rpc__request__free_unpacked(request, NULL);
		wire_fini(&wire);
	}
	assert_true(datagrams > 1);
	for (size_t i = 0; i < N; i++)
		free(path[i]);
	free(path);
}

/* Encodes an answer as warmd does. The caller frees. */
static uint8_t *pack_answer(size_t *ret_len)
{
	ProtobufCBinaryData argv[] = {{4, (uint8_t *)"shop"},
	                              {0, NULL},
	                              {2, (uint8_t *)"\xff"
	                                             "b"}};
	ProtobufCBinaryData env[] = {{4, (uint8_t *)"A=B="}};
	Warm__Rpc__Hook hook = WARM__RPC__HOOK__INIT;
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	const uint32_t magic = RPC_MAGIC;
	uint8_t *data;

	hook.outcome = WARM__RPC__OUTCOME__RESTORED;
	hook.reason = (char[]){"none"};
	hook.n_argv = 3;
	hook.argv = argv;
	hook.n_env = 1;
	hook.env = env;
	hook.cwd = (ProtobufCBinaryData){4, (uint8_t *)"/srv"};
	hook.fixed_args = 2;
	hook.generation = 0xfedcba9876543210u;
	reply.last = true;
	reply.hook = &hook;
	*ret_len = sizeof(magic) + warm__rpc__reply__get_packed_size(&reply);
	data = malloc(*ret_len);
	assert_non_null(data);
	memcpy(data, &magic, sizeof(magic));
	warm__rpc__reply__pack(&reply, data + sizeof(magic));
	return data;
}

static void test_answer_is_read(void **state)
{
	struct hook_answer answer;
	size_t len;
	uint8_t *data = pack_answer(&len);

	(void)state;
	assert_int_equal(wire_get_answer(data, len, &answer), 0);
	assert_int_equal(answer.outcome, OUTCOME_RESTORED);
	assert_true(answer.generation == 0xfedcba9876543210u);
	assert_int_equal(answer.argc, 3);
	assert_int_equal(answer.fixed_args, 2);
	assert_string_equal(answer.reason, "none");
	assert_string_equal(answer.argv[0], "shop");
	assert_string_equal(answer.argv[1], "");
	assert_string_equal(answer.argv[2], "\xff"
	                                    "b");
	assert_null(answer.argv[3]);
	assert_int_equal(answer.n_env, 1);
	assert_string_equal(answer.env[0], "A=B=");
	hook_answer_fini(&answer);
	free(data);
}

static void test_damaged_answers_are_refused_or_read_never_overrun(void **state)
{
	struct hook_answer answer;
	size_t len;
	uint8_t *data = pack_answer(&len);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1); /* its own block, so that a sanitizer sees one byte too many */

		assert_non_null(copy);
		memcpy(copy, data, cut);
		if (wire_get_answer(copy, cut, &answer) == 0)
			hook_answer_fini(&answer);
		free(copy);
	}
	for (size_t at = 0; at < len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			data[at] ^= (uint8_t)(1u << bit);
			if (wire_get_answer(data, len, &answer) == 0)
				hook_answer_fini(&answer);
			data[at] ^= (uint8_t)(1u << bit);
		}
	data[0] = 'X';
	assert_int_equal(wire_get_answer(data, len, &answer), -EBADMSG);
	assert_int_equal(wire_get_answer(data, 0, &answer), -EBADMSG);
	free(data);
}

static void test_only_named_variables_become_the_launchs(void **state)
{
	char *pattern[] = {(char[]){"H4_ONE"}, (char[]){"H4P_*"}};
	char *env[] = {(char[]){"H4_ONE=new"}, (char[]){"H4P_NEW=x=y"}, (char[]){"H4_ONEMORE=new"},
	               (char[]){"H4_TWO=new"}};
	char *change[] = {(char[]){"H4_THREE=new"}, (char[]){"H4_FOUR"}};
	struct hook_answer answer = {.env = env, .n_env = 4, .env_change = change, .n_env_change = 2};

	(void)state;
	setenv("H4_ONE", "old", 1);
	setenv("H4_ONEMORE", "old", 1);
	setenv("H4P_A", "old", 1);
	setenv("H4P_B", "old", 1);
	setenv("H4_FOUR", "old", 1);
	assert_int_equal(launch_environment(&answer, pattern, 2), 0);
	assert_string_equal(getenv("H4_ONE"), "new");
	assert_string_equal(getenv("H4_ONEMORE"), "old");
	assert_string_equal(getenv("H4P_NEW"), "x=y");
	assert_null(getenv("H4P_A"));
	assert_null(getenv("H4P_B"));
	assert_null(getenv("H4_TWO"));
	assert_string_equal(getenv("H4_THREE"), "new"); /* that no key looks at, the daemon says */
	assert_null(getenv("H4_FOUR"));
	setenv("H4_ONE", "old", 1);
	assert_int_equal(launch_environment(&answer, NULL, 0), 0);
	assert_string_equal(getenv("H4_ONE"), "old");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_hello_reads_back),
	        cmocka_unit_test(test_ready_reads_back),
	        cmocka_unit_test(test_depends_are_split_to_fit_and_none_is_lost),
	        cmocka_unit_test(test_answer_is_read),
	        cmocka_unit_test(test_damaged_answers_are_refused_or_read_never_overrun),
	        cmocka_unit_test(test_only_named_variables_become_the_launchs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
