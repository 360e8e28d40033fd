/* SPDX-License-Identifier: MIT */
/*
 * The launch request is encoded by hand, before libc has started (sdk/cli/hot/request.c). Here it is decoded by another
 * hand, from the drawing in proto/launch.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sdk/cli/hot/request.c"
#include "sdk/cli/hot/text.c"

#define N_STRINGS_MAX 64

struct decoded {
	struct launch_request header;
	const char *string[N_STRINGS_MAX];
	unsigned n;
};

static char *some_argv[] = {(char *)"app", (char *)"", (char *)"two words", (char *)"\xff\xfe", NULL};
static char *some_env[] = {(char *)"A=1", (char *)"EMPTY=", (char *)"LINES=one\ntwo", NULL};

static struct exec_options some_options(void)
{
	struct exec_options options = {.name = "label", .ready = "listen:80", .argv = some_argv, .env = some_env};

	options.flags = LAUNCH_REQUIRE | LAUNCH_NET_PRIVATE;
	options.started_ns = 0x123456789abcull;
	return options;
}

static struct launch *some_launch(const struct exec_options *options, const char *path, const char *cwd)
{
	static struct launch l;

	memset(&l, 0, sizeof(l));
	l.options = options;
	l.env = options->env;
	l.mask = 0x8000000000000401ull;
	strcpy(l.path, path);
	strcpy(l.cwd, cwd);
	return &l;
}

static void decode(const struct request *request, struct decoded *d)
{
	const char *at = (const char *)(request->message + 1), *end = (const char *)request->message;

	memcpy(&d->header, request->message, sizeof(d->header));
	end += d->header.size;
	for (d->n = 0; at < end && d->n < N_STRINGS_MAX; at += strlen(at) + 1)
		d->string[d->n++] = at;
	assert_ptr_equal(at, end);
}

static void test_request_decodes_to_what_was_asked(void **state)
{
	struct exec_options options = some_options();
	struct launch *l = some_launch(&options, "/usr/bin/app", "/srv/data");
	struct request request;
	struct decoded d;

	(void)state;
	assert_null(request_build(&request, l));
	decode(&request, &d);

	assert_int_equal(d.header.magic, LAUNCH_MAGIC);
	assert_int_equal(d.header.version, LAUNCH_VERSION);
	assert_int_equal(d.header.flags, LAUNCH_REQUIRE | LAUNCH_NET_PRIVATE);
	assert_true(d.header.sig_blocked == l->mask);
	assert_true(d.header.started_ns == options.started_ns);
	assert_int_equal(d.header.n_argv, 4);
	assert_int_equal(d.header.n_env, 3);
	assert_int_equal(d.n, 4 + 4 + 3);
	assert_string_equal(d.string[0], "/usr/bin/app");
	assert_string_equal(d.string[1], "/srv/data");
	assert_string_equal(d.string[2], "label");
	assert_string_equal(d.string[3], "listen:80");
	for (int i = 0; i < 4; i++)
		assert_string_equal(d.string[4 + i], some_argv[i]);
	for (int i = 0; i < 3; i++)
		assert_string_equal(d.string[8 + i], some_env[i]);
}

static void test_relative_command_becomes_absolute(void **state)
{
	static const char *const cases[][3] = {
	        {"bin/app", "/srv", "/srv/bin/app"},
	        {"./app", "/srv", "/srv/app"},
	        {"app", "/", "/app"},
	        {"../app", "/srv", "/srv/../app"},
	};
	struct exec_options options = some_options();
	struct request request;
	struct decoded d;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_null(request_build(&request, some_launch(&options, cases[i][0], cases[i][1])));
		decode(&request, &d);
		assert_string_equal(d.string[0], cases[i][2]);
		assert_string_equal(d.string[1], cases[i][1]);
	}
}

static void test_descriptors_are_the_inherited_ones_ascending(void **state)
{
	struct exec_options options = some_options();
	struct request request;
	struct decoded d;
	int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC), seen = 0;

	(void)state;
	assert_int_equal(dup2(kept, 40), 40);
	assert_null(request_build(&request, some_launch(&options, "/a", "/")));
	decode(&request, &d);

	assert_int_equal(request.n_fds, d.header.n_numbers);
	for (unsigned i = 0; i < d.header.n_numbers; i++) {
		assert_int_equal(request.fd[i], d.header.fd_number[i]);
		assert_int_not_equal(d.header.fd_number[i], closed);
		assert_int_equal(fcntl(d.header.fd_number[i], F_GETFD), 0);
		if (i)
			assert_true(d.header.fd_number[i - 1] < d.header.fd_number[i]);
		seen += d.header.fd_number[i] == kept || d.header.fd_number[i] == 40;
	}
	assert_int_equal(seen, 2);
	close(40);
	close(kept);
	close(closed);
}

static void test_relay_replaces_terminals_by_the_slave(void **state)
{
	struct exec_options options = some_options();
	struct exec_relay relay = {.flags = LAUNCH_TTY | LAUNCH_BACKGROUND, .slave_for = {-1, 77, -1}};
	struct launch *l = some_launch(&options, "/a", "/");
	struct request request;
	struct decoded d;

	(void)state;
	l->relay = &relay;
	assert_null(request_build(&request, l));
	decode(&request, &d);
	assert_int_equal(d.header.flags, options.flags | LAUNCH_TTY | LAUNCH_BACKGROUND);
	for (unsigned i = 0; i < d.header.n_numbers; i++)
		assert_int_equal(request.fd[i], d.header.fd_number[i] == 1 ? 77 : d.header.fd_number[i]);
}

static void test_what_does_not_fit_is_refused(void **state)
{
	struct exec_options options = some_options();
	char *huge = calloc(1, MESSAGE_MAX + 1), *argv[] = {huge, NULL};
	struct request request;
	size_t fits = MESSAGE_MAX - sizeof(struct launch_request) - 3 - 2 - 1 - 1 - 1;

	(void)state;
	assert_non_null(huge);
	options.argv = argv;
	options.env = argv + 1;
	options.name = options.ready = "";
	memset(huge, 'x', fits);
	assert_null(request_build(&request, some_launch(&options, "/a", "/")));
	assert_int_equal(request.message->size, MESSAGE_MAX);
	huge[fits] = 'x';
	assert_non_null(request_build(&request, some_launch(&options, "/a", "/")));
	free(huge);
}

static void test_too_many_descriptors_are_refused(void **state)
{
	struct exec_options options = some_options();
	struct request request;

	(void)state;
	for (int fd = 100; fd < 100 + LAUNCH_FDS_MAX; fd++)
		assert_int_equal(dup2(0, fd), fd);
	assert_non_null(request_build(&request, some_launch(&options, "/a", "/")));
	close_range(100, 100 + LAUNCH_FDS_MAX, 0);
}

static void test_json_escapes(void **state)
{
	char buf[64];
	struct text text;

	(void)state;
	text_init(&text, buf, sizeof(buf));
	text_json(&text, "a \"b\" \\ \n\x01");
	assert_string_equal(buf, "\"a \\\"b\\\" \\\\ \\u000a\\u0001\"");
	text_init(&text, buf, sizeof(buf));
	text_json(&text, "\xc3\xa4 \xff\xc3");
	assert_string_equal(buf, "\"\xc3\xa4 \\ufffd\\ufffd\"");
	text_init(&text, buf, 4);
	text_add(&text, "abcdef");
	assert_string_equal(buf, "abc");
	assert_true(text.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_request_decodes_to_what_was_asked),
	        cmocka_unit_test(test_relative_command_becomes_absolute),
	        cmocka_unit_test(test_descriptors_are_the_inherited_ones_ascending),
	        cmocka_unit_test(test_relay_replaces_terminals_by_the_slave),
	        cmocka_unit_test(test_what_does_not_fit_is_refused),
	        cmocka_unit_test(test_too_many_descriptors_are_refused),
	        cmocka_unit_test(test_json_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
