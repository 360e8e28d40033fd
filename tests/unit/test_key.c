/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "policy/key.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A launch as it usually is; tests change one thing of it. Texts are read only, whatever protobuf-c's types say. */
struct sample {
	Warm__Rpc__Conditions conditions;
	Warm__Rpc__Namespace ns[2], *ns_list[2];
	ProtobufCBinaryData argv[4], env[6];
	uint32_t stdio_kind[3], group[2];
	char *env_from_launch[2];
};

static char *text(const char *of)
{
	return (char *)(uintptr_t)of;
}

static ProtobufCBinaryData bytes(const char *of)
{
	return (ProtobufCBinaryData){.len = strlen(of), .data = (uint8_t *)text(of)};
}

static void set_env(struct sample *s, const char *a, const char *b, const char *c)
{
	const char *const list[] = {a, b, c};

	s->conditions.n_env = 0;
	for (size_t i = 0; i < N(list); i++) {
		if (list[i])
			s->env[s->conditions.n_env++] = bytes(list[i]);
	}
}

static void set_argv(struct sample *s, const char *a, const char *b, const char *c)
{
	const char *const list[] = {a, b, c};

	s->conditions.n_argv = 0;
	for (size_t i = 0; i < N(list); i++) {
		if (list[i])
			s->argv[s->conditions.n_argv++] = bytes(list[i]);
	}
}

static void usual(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	warm__rpc__conditions__init(&s->conditions);
	warm__rpc__namespace__init(&s->ns[0]);
	warm__rpc__namespace__init(&s->ns[1]);
	s->ns[0].name = text("mnt");
	s->ns[0].ino = 11;
	s->ns[1].name = text("net");
	s->ns[1].ino = 12;
	s->ns_list[0] = &s->ns[0];
	s->ns_list[1] = &s->ns[1];
	s->stdio_kind[0] = STDIO_NULL;
	s->stdio_kind[1] = s->stdio_kind[2] = STDIO_PIPE;
	s->group[0] = 4;
	s->group[1] = 24;

	Warm__Rpc__Conditions *c = &s->conditions;

	c->cmd = text("/usr/bin/app");
	c->uid = c->gid = 1000;
	c->group = s->group;
	c->n_group = 2;
	c->cap_bounding = 0x1ff;
	c->ns = s->ns_list;
	c->n_ns = 2;
	c->stdio_kind = s->stdio_kind;
	c->n_stdio_kind = 3;
	c->cpu = text("cpu-1");
	c->kernel = text("6.18");
	c->cwd = bytes("/srv");
	c->umask = 022;
	c->argv = s->argv;
	c->env = s->env;
	c->env_from_launch = s->env_from_launch;
	set_argv(s, "app", "a", NULL);
	set_env(s, "HOME=/root", "LANG=C", "PATH=/bin");
}

static struct sample snap, now;

static int fresh(void **state)
{
	(void)state;
	usual(&snap);
	usual(&now);
	return 0;
}

static void check_equal(void)
{
	char reason[240] = "";

	assert_int_equal(key_compare(&snap.conditions, &now.conditions, NULL, reason, sizeof(reason)), 0);
	assert_string_equal(reason, "");
}

static int check_differs(const char *want)
{
	char reason[240] = "";
	int ret = key_compare(&snap.conditions, &now.conditions, NULL, reason, sizeof(reason));

	assert_string_equal(reason, want);
	assert_true(ret > 0);
	return ret;
}

static void test_equal_launch_is_served(void **state)
{
	(void)state;
	check_equal();
}

static void test_first_difference_is_named(void **state)
{
	(void)state;
	now.conditions.cmd = text("/bin/other");
	now.conditions.uid = 5;
	check_differs("the command is /bin/other, was /usr/bin/app");
	fresh(NULL);
	now.conditions.uid = 5;
	check_differs("the user is 5, was 1000");
	fresh(NULL);
	now.group[1] = 25;
	check_differs("supplementary groups differ");
	fresh(NULL);
	now.conditions.cap_bounding = 0x1fe;
	check_differs("bounding capabilities are 00000000000001fe, were 00000000000001ff");
	fresh(NULL);
	now.conditions.no_new_privs = true;
	check_differs("no_new_privs is set, was not");
	fresh(NULL);
	now.ns[1].ino = 99;
	check_differs("the net namespace is another one");
	fresh(NULL);
	now.conditions.root_ino = 3;
	check_differs("the root directory is another one");
	fresh(NULL);
	now.conditions.cpu = text("cpu-2");
	check_differs("the CPU is cpu-2, was cpu-1");
	fresh(NULL);
	now.conditions.kernel = text("6.19");
	check_differs("the kernel is 6.19, was 6.18");
	fresh(NULL);
	now.stdio_kind[0] = STDIO_TTY;
	check_differs("standard input is a terminal, was /dev/null");
	fresh(NULL);
	now.conditions.umask = 077;
	check_differs("umask is 077, was 022");
	fresh(NULL);
	now.conditions.cwd = bytes("/tmp");
	check_differs("the working directory is /tmp, was /srv");
	fresh(NULL);
	now.conditions.net_private = true;
	check_differs("--net is private, was host");
	fresh(NULL);
	now.conditions.scheduling = 1 | 7 << 8;
	check_differs("the scheduling policy is 1 (priority 7), was 0 (priority 0)");
	fresh(NULL);
	now.conditions.io_priority = 0x6000;
	check_differs("the I/O priority is 0x6000, was 0");
	fresh(NULL);
	now.conditions.personality = 0x40000;
	check_differs("the personality is 0x40000, was 0");
	fresh(NULL);
	now.conditions.inherited = 1;
	check_differs("whether it may use huge pages (PR_SET_THP_DISABLE) differs");
	fresh(NULL);
	now.conditions.inherited = 1 << 8;
	check_differs("PR_SET_MDWE differs");
	fresh(NULL);
	now.conditions.inherited = 2 << 16;
	check_differs("the NUMA policy differs");
	fresh(NULL);
	now.conditions.stack_limit = 16 << 20;
	check_differs("the limit of the stack (ulimit -s) is 16384 KiB, was 0 KiB");
	fresh(NULL);
	now.conditions.stack_limit = RLIM_INFINITY;
	check_differs("the limit of the stack (ulimit -s) is unlimited, was 0 KiB");
	fresh(NULL);
	now.conditions.notify = true;
	check_differs("there is a NOTIFY_SOCKET, and was none");
}

static void test_a_notify_socket_too_many_does_no_harm(void **state)
{
	(void)state;
	snap.conditions.notify = true;
	assert_int_equal(key_compare(&snap.conditions, &now.conditions, NULL, (char[64]){0}, 64), 0);
}

static void test_signals_are_named(void **state)
{
	(void)state;
	now.conditions.sig_ignored = 1u << (SIGPIPE - 1);
	check_differs("signal 13 (SIGPIPE) is ignored, was not");
	fresh(NULL);
	snap.conditions.sig_blocked = 1u << (SIGHUP - 1);
	check_differs("signal 1 (SIGHUP) is not blocked, was blocked");
}

static void test_arguments_are_compared_to_the_last(void **state)
{
	(void)state;
	set_argv(&now, "app", "b", NULL);
	check_differs("argument 1 is \"b\", was \"a\"");
	set_argv(&now, "app", "a", "more");
	check_differs("argument 2 is \"more\", was not there");
	set_argv(&now, "app", NULL, NULL);
	check_differs("argument 1 is missing, was \"a\"");
}

static void test_declared_arguments_are_the_launchs(void **state)
{
	(void)state;
	snap.conditions.argv_from_launch = true;
	snap.conditions.fixed_args = 1;
	set_argv(&now, "app", "other", "more");
	check_equal();
	set_argv(&now, "app", NULL, NULL);
	check_equal();
	set_argv(&now, "ppa", "a", NULL);
	check_differs("argument 0 is \"ppa\", was \"app\"");
	snap.conditions.fixed_args = 2;
	set_argv(&now, "app", NULL, NULL);
	check_differs("argument 1 is missing, was \"a\"");
}

static void test_what_the_launch_declares_does_not_count(void **state)
{
	(void)state;
	now.conditions.argv_from_launch = now.conditions.cwd_from_launch = true;
	set_argv(&now, "app", "b", NULL);
	check_differs("argument 1 is \"b\", was \"a\"");
}

static void test_environment_is_a_set(void **state)
{
	(void)state;
	set_env(&now, "PATH=/bin", "HOME=/root", "LANG=C");
	check_equal();
	set_env(&now, "PATH=/sbin", "HOME=/root", "LANG=C");
	check_differs("environment PATH differs");
	set_env(&now, "HOME=/root", "LANG=C", NULL);
	check_differs("environment PATH is gone");
	set_env(&now, "HOME=/root", "PATH=/bin", NULL);
	check_differs("environment LANG is gone");
	set_env(&snap, "HOME=/root", "PATH=/bin", NULL);
	set_env(&now, "DEBUG=1", "HOME=/root", "PATH=/bin");
	check_differs("environment DEBUG is new");
	set_env(&now, "HOME=/root", "PATH=/bin", "PATH=/bin");
	check_differs("environment PATH is new");
	set_env(&now, "HOME=/root", "PATH=/bin", "ZZZ");
	check_differs("environment ZZZ is new");
}

static void test_names_never_looked_at(void **state)
{
	(void)state;
	set_env(&snap, "PWD=/a", "SSH_TTY=/dev/pts/1", "HOME=/root");
	set_env(&now, "HOME=/root", "LISTEN_FDS=1", "WARM_SOCKET=/x");
	check_equal();
	set_env(&now, "HOME=/root", "PWDX=1", NULL);
	check_differs("environment PWDX is new");
}

static void test_configured_list_replaces_the_default(void **state)
{
	static const char *const list[] = {"FOO", NULL};
	char reason[240];

	(void)state;
	set_env(&snap, "PWD=/a", "FOO=1", NULL);
	set_env(&now, "PWD=/a", "FOO=2", NULL);
	assert_int_equal(key_compare(&snap.conditions, &now.conditions, list, reason, sizeof(reason)), 0);
	set_env(&now, "PWD=/b", "FOO=2", NULL);
	assert_true(key_compare(&snap.conditions, &now.conditions, list, reason, sizeof(reason)) > 0);
	assert_string_equal(reason, "environment PWD differs");
}

static void test_what_is_never_looked_at_is_told_where_it_differs(void **state)
{
	ProtobufCBinaryData changes[6];

	(void)state;
	set_env(&snap, "TERM=xterm", "SSH_TTY=/dev/pts/1", "HOME=/root");
	set_env(&now, "TERM=xterm", "SSH_TTY=/dev/pts/1", "HOME=/");
	assert_int_equal(key_ignored_changes(&snap.conditions, now.env, 3, NULL, changes), 0);
	set_env(&now, "TERM=dumb", "TERM=xterm", "PWD=/");
	assert_int_equal(key_ignored_changes(&snap.conditions, now.env, 3, NULL, changes), 3);
	assert_true(changes[0].len == 9 && !memcmp(changes[0].data, "TERM=dumb", 9));
	assert_true(changes[1].len == 5 && !memcmp(changes[1].data, "PWD=/", 5));
	assert_true(changes[2].len == 7 && !memcmp(changes[2].data, "SSH_TTY", 7));
}

static void test_declared_environment_and_cwd_are_the_launchs(void **state)
{
	(void)state;
	snap.env_from_launch[0] = text("LANG");
	snap.env_from_launch[1] = text("REQUEST_*");
	snap.conditions.n_env_from_launch = 2;
	snap.conditions.cwd_from_launch = true;
	now.conditions.cwd = bytes("/elsewhere");
	set_env(&now, "HOME=/root", "PATH=/bin", "REQUEST_ID=7");
	check_equal();
	set_env(&now, "HOME=/root", "PATH=/bin", "REQUEST=7");
	check_differs("environment REQUEST is new");
}

static void test_all_but_some_of_the_environment_is_the_launchs(void **state)
{
	(void)state;
	snap.env_from_launch[0] = text("!LANG");
	snap.env_from_launch[1] = text("*");
	snap.conditions.n_env_from_launch = 2;
	set_env(&now, "ANY=thing", "LANG=C", "!LANG=x");
	check_equal();
	set_env(&now, "LANG=de", NULL, NULL);
	check_differs("environment LANG differs");
	set_env(&now, "LANGUAGE=de", NULL, NULL);
	check_differs("environment LANG is gone");
	snap.env_from_launch[0] = text("!L*");
	set_env(&now, "LANG=C", "LC_ALL=C", NULL);
	check_differs("environment LC_ALL is new");
	snap.env_from_launch[0] = text("*"); /* the first that matches counts */
	snap.env_from_launch[1] = text("!LANG");
	check_equal();
}

static void test_interpreter_is_not_its_program(void **state)
{
	(void)state;
	snap.conditions.interpreter = text("python");
	check_differs("it is an interpreter before any program");
	now.conditions.interpreter = text("python json");
	check_differs("what is loaded before programs is \"python json\", was \"python\"");
	assert_true(key_is_variant(&snap.conditions, &now.conditions));
	snap.conditions.interpreter = text("");
	check_differs("it is no interpreter before any program");
	assert_false(key_is_variant(&snap.conditions, &now.conditions));
}

static void test_scripts_are_programs_not_variants(void **state)
{
	(void)state;
	snap.conditions.cmd = now.conditions.cmd = text("/usr/bin/python3");
	set_argv(&snap, "python3", "-B", "one.py");
	set_argv(&now, "python3", "one.py", NULL);
	assert_true(key_is_variant(&snap.conditions, &now.conditions));
	set_argv(&now, "python3", "two.py", NULL);
	assert_false(key_is_variant(&snap.conditions, &now.conditions));
	set_argv(&now, "python3", "one.py", NULL);
	now.conditions.cwd = bytes("/elsewhere");
	assert_false(key_is_variant(&snap.conditions, &now.conditions));
	set_argv(&snap, "python3", "/srv/one.py", "x");
	set_argv(&now, "python3", "/srv/one.py", "y");
	assert_true(key_is_variant(&snap.conditions, &now.conditions));

	/* A program that declares its arguments is one, whatever they are. */
	fresh(NULL);
	snap.conditions.argv_from_launch = now.conditions.argv_from_launch = true;
	snap.conditions.fixed_args = now.conditions.fixed_args = 1;
	set_argv(&now, "app", "b", NULL);
	now.conditions.cwd = bytes("/elsewhere");
	assert_true(key_is_variant(&snap.conditions, &now.conditions));
	now.conditions.uid = 5;
	assert_false(key_is_variant(&snap.conditions, &now.conditions));
}

static void check_none_yet(const char *want)
{
	char reason[240];

	key_none_yet(&now.conditions, reason, sizeof(reason));
	assert_string_equal(reason, want);
}

static void test_programs_of_an_interpreter_are_not_compared(void **state)
{
	(void)state;
	set_argv(&now, "app", "b", NULL);
	assert_true(key_is_comparable(&snap.conditions, &now.conditions));
	check_none_yet("no snapshot of /usr/bin/app yet");
	snap.conditions.cmd = now.conditions.cmd = text("/usr/bin/python3");
	set_argv(&snap, "python3", "a.py", "x");
	set_argv(&now, "python3", "a.py", "y");
	assert_true(key_is_comparable(&snap.conditions, &now.conditions));
	check_none_yet("no snapshot of a.py yet");
	set_argv(&now, "python3", "-v", "a.py");
	assert_true(key_is_comparable(&snap.conditions, &now.conditions));
	set_argv(&now, "python3", "b.py", "x");
	assert_false(key_is_comparable(&snap.conditions, &now.conditions));
	set_argv(&now, "python3", "-m", "a.py");
	assert_false(key_is_comparable(&snap.conditions, &now.conditions));
	set_argv(&now, "python3", "-c", "pass");
	check_none_yet("no snapshot of /usr/bin/python3 yet");
	set_argv(&now, "python3", "-K", NULL); /* whatever that is */
	assert_false(key_is_comparable(&snap.conditions, &now.conditions));
	check_none_yet("no snapshot of /usr/bin/python3 yet");
	set_argv(&now, "python3", "-K", "a.py");
	assert_true(key_is_comparable(&snap.conditions, &now.conditions));
}

static void test_archives_of_a_prewarmed_interpreter_are_not_compared(void **state)
{
	(void)state;
	snap.conditions.cmd = now.conditions.cmd = text("/usr/bin/java");
	snap.conditions.interpreter = now.conditions.interpreter = text("java");
	set_argv(&snap, "java", "-Xmx64m", NULL);
	set_argv(&now, "java", "-Xmx32m", NULL);
	assert_true(key_is_comparable(&snap.conditions, &now.conditions));
	set_argv(&now, "java", "-jar", "missing.jar");
	assert_false(key_is_comparable(&snap.conditions, &now.conditions));
	check_none_yet("no snapshot of missing.jar yet");
	set_argv(&snap, "java", "-jar", "other.jar");
	assert_false(key_is_comparable(&snap.conditions, &now.conditions));
	set_argv(&snap, "java", "-jar", "missing.jar");
	assert_true(key_is_comparable(&snap.conditions, &now.conditions));
}

static void test_nearer_snapshot_has_the_larger_result(void **state)
{
	int far, near;

	(void)state;
	now.conditions.cmd = text("/bin/other");
	far = check_differs("the command is /bin/other, was /usr/bin/app");
	fresh(NULL);
	set_env(&now, "HOME=/root", "LANG=C", NULL);
	near = check_differs("environment PATH is gone");
	assert_true(near > far);
}

static void test_long_values_are_cut(void **state)
{
	char *long_text = malloc(100001), reason[64];

	(void)state;
	memset(long_text, 'x', 100000);
	long_text[100000] = 0;
	set_argv(&now, "app", long_text, NULL);
	assert_true(key_compare(&snap.conditions, &now.conditions, NULL, reason, sizeof(reason)) > 0);
	assert_true(strlen(reason) < sizeof(reason));
	free(long_text);
}

static void test_kinds_of_streams(void **state)
{
	struct stat st = {.st_mode = S_IFCHR, .st_rdev = makedev(1, 3)};

	(void)state;
	assert_int_equal(key_stdio_kind(NULL), STDIO_CLOSED);
	assert_int_equal(key_stdio_kind(&st), STDIO_NULL);
	st.st_rdev = makedev(136, 0);
	assert_int_equal(key_stdio_kind(&st), STDIO_TTY);
	st.st_rdev = makedev(1, 5);
	assert_int_equal(key_stdio_kind(&st), STDIO_OTHER);
	st.st_mode = S_IFIFO;
	assert_int_equal(key_stdio_kind(&st), STDIO_PIPE);
	st.st_mode = S_IFSOCK;
	assert_int_equal(key_stdio_kind(&st), STDIO_SOCKET);
	st.st_mode = S_IFREG;
	assert_int_equal(key_stdio_kind(&st), STDIO_FILE);
	st.st_mode = S_IFBLK;
	assert_int_equal(key_stdio_kind(&st), STDIO_OTHER);
}

#define TEST(fn) cmocka_unit_test_setup(fn, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_equal_launch_is_served),
	        TEST(test_first_difference_is_named),
	        TEST(test_a_notify_socket_too_many_does_no_harm),
	        TEST(test_signals_are_named),
	        TEST(test_arguments_are_compared_to_the_last),
	        TEST(test_declared_arguments_are_the_launchs),
	        TEST(test_what_the_launch_declares_does_not_count),
	        TEST(test_environment_is_a_set),
	        TEST(test_names_never_looked_at),
	        TEST(test_configured_list_replaces_the_default),
	        TEST(test_what_is_never_looked_at_is_told_where_it_differs),
	        TEST(test_declared_environment_and_cwd_are_the_launchs),
	        TEST(test_all_but_some_of_the_environment_is_the_launchs),
	        TEST(test_interpreter_is_not_its_program),
	        TEST(test_scripts_are_programs_not_variants),
	        TEST(test_programs_of_an_interpreter_are_not_compared),
	        TEST(test_archives_of_a_prewarmed_interpreter_are_not_compared),
	        TEST(test_nearer_snapshot_has_the_larger_result),
	        TEST(test_long_values_are_cut),
	        TEST(test_kinds_of_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
