/* SPDX-License-Identifier: MIT */
/* Command lines of interpreters, and `#!` lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/interp.h"
#include "policy/java.h"
#include "policy/node.h"
#include "policy/python.h"

#define WORDS_MAX 16

/* Words separated by blanks; ~ is an empty one. */
static size_t split(char *text, char **argv)
{
	static char empty[] = "";
	size_t n = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(n < WORDS_MAX);
		argv[n++] = strcmp(word, "~") ? word : empty;
	}
	return n;
}

/* want: "WORDS|WHAT|PROGRAM|sys.argv", or what is wrong with it. */
static void check_line(const char *text, const char *want)
{
	char copy[256], got[512] = "", *argv[WORDS_MAX];
	const struct interp *interp = interp_of("/usr/bin/python3");
	const char *why = "";
	struct interp_line line;
	struct python_line python;
	size_t n, len = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	n = split(copy, argv);
	assert_non_null(interp);
	if (interp_line_parse(interp, argv, n, &line, &why)) {
		assert_string_equal(why, want);
		return;
	}
	assert_int_equal(python_line_parse(argv, n, &python, &why), 0);
	for (size_t i = 0; i < line.n_words; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", i ? " " : "", line.word[i]);
	len += (size_t)snprintf(got + len, sizeof(got) - len, "|%c|%s|%s", line.what, line.program, python.argv0);
	for (size_t i = python.args; i < n; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, " %s", argv[i]);
	assert_string_equal(got, want);
}

static void test_the_program_is_found_behind_the_options(void **state)
{
	(void)state;
	check_line("python3", "python3|s||");
	check_line("python3 a.py", "python3|f|a.py|a.py");
	check_line("python3 a.py -u -c x", "python3|f|a.py|a.py -u -c x");
	check_line("python3 -u -B a.py x", "python3 -u -B|f|a.py|a.py x");
	check_line("python3 - x -y", "python3|s||- x -y");
	check_line("python3 -u - x", "python3 -u|s||- x");
	check_line("python3 -- -x.py a", "python3 --|f|-x.py|-x.py a");
	check_line("python3 -m json.tool -h", "python3|m|json.tool|-m -h");
	check_line("python3 -mjson.tool a", "python3|m|json.tool|-m a");
	check_line("python3 -c pass a -b", "python3|c|pass|-c a -b");
	check_line("python3 -cpass a", "python3|c|pass|-c a");
	check_line("python3 ~ a", "python3|f|| a");
}

static void test_options_share_words(void **state)
{
	(void)state;
	check_line("python3 -uBc pass a", "python3 -uB|c|pass|-c a");
	check_line("python3 -Imx a", "python3 -I|m|x|-m a");
	check_line("python3 -O -bmjson.tool", "python3 -O -b|m|json.tool|-m");
}

static void test_options_have_values(void **state)
{
	(void)state;
	check_line("python3 -W error a.py", "python3 -W error|f|a.py|a.py");
	check_line("python3 -Werror a.py", "python3 -Werror|f|a.py|a.py");
	check_line("python3 -X dev -c x", "python3 -X dev|c|x|-c");
	check_line("python3 -BX dev a.py", "python3 -BX dev|f|a.py|a.py");
	check_line("python3 --check-hash-based-pycs never a.py y",
	           "python3 --check-hash-based-pycs never|f|a.py|a.py y");
}

static void test_lines_without_a_program_are_refused(void **state)
{
	(void)state;
	check_line("python3 -V", "it only prints something");
	check_line("python3 -uh a.py", "it only prints something");
	check_line("python3 --version", "it only prints something, or an option is wrong");
	check_line("python3 --check-hash-based-pycs", "it only prints something, or an option is wrong");
	check_line("python3 -Z a.py", "an option that is not known");
	check_line("python3 -c", "an option lacks its value");
	check_line("python3 -W", "an option lacks its value");
}

/* want: "WORDS|WHAT|PROGRAM|execArgv|process.argv", or what is wrong with it. */
static void check_node(const char *text, const char *want)
{
	char copy[256], got[512] = "", *argv[WORDS_MAX];
	const struct interp *interp = interp_of("/usr/bin/node");
	const char *why = "";
	struct interp_line line;
	struct node_line node;
	size_t n, len = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	n = split(copy, argv);
	assert_non_null(interp);
	if (interp_line_parse(interp, argv, n, &line, &why)) {
		assert_string_equal(why, want);
		return;
	}
	assert_int_equal(node_line_parse(argv, n, &node, &why), 0);
	for (size_t i = 0; i < line.n_words; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", i ? " " : "", line.word[i]);
	len += (size_t)snprintf(got + len, sizeof(got) - len, "|%c|%s|", line.what, line.program);
	for (size_t i = 1; i <= node.n_options; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", i > 1 ? " " : "", argv[i]);
	for (size_t i = node.args; i < n; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%c%s", i > node.args ? ' ' : '|', argv[i]);
	assert_string_equal(got, want);
}

static void test_node_programs(void **state)
{
	(void)state;
	check_node("node", "node -|s||");
	check_node("node a.js", "node|f|a.js||a.js");
	check_node("node a.js -e x", "node|f|a.js||a.js -e x");
	check_node("node - a -b", "node -|s|||- a -b");
	check_node("node -- -x.js a", "node|f|-x.js||-x.js a");
	check_node("node -- - a", "node -|s|||- a");
	check_node("node ~ a", "node -|s||| a");
	check_node("node -e x a -b", "node -e|c|x|-e x|a -b");
	check_node("node -e x -- -b", "node -e|c|x|-e x|-b");
	check_node("node --eval=x a", "node -e|c|x|--eval=x|a");
	check_node("node --eval= a", "node -e|c||--eval=|a");
	check_node("node -e ~ a", "node -e|c||-e |a");
	check_node("node -p x", "node -p|c|x|-p x");
	check_node("node -pe x -r m a", "node -r m -p|c|x|-pe x -r m|a");
	check_node("node -r m --print x", "node -r m -p|c|x|-r m --print x");
}

static void test_node_options(void **state)
{
	static const char unknown[] = "an option that is not known, or that does more than run a program";

	(void)state;
	check_node("node --no-warnings a.js", "node --no-warnings|f|a.js|--no-warnings|a.js");
	check_node("node --expose_gc a.js", "node --expose_gc|f|a.js|--expose_gc|a.js");
	check_node("node --no-experimental-fetch a.js",
	           "node --no-experimental-fetch|f|a.js|--no-experimental-fetch|a.js");
	check_node("node -r ./x.js a.js", "node -r ./x.js|f|a.js|-r ./x.js|a.js");
	check_node("node --import=x a.js", "node --import=x|f|a.js|--import=x|a.js");
	check_node("node --max-old-space-size=9 a.js",
	           "node --max-old-space-size=9|f|a.js|--max-old-space-size=9|a.js");
	check_node("node --max-old-space-size 9 a.js", unknown);
	check_node("node -r", unknown);
	check_node("node -r -x a.js", unknown);
	check_node("node --require= a.js", unknown);
	check_node("node --no-warnings=x a.js", unknown);
	check_node("node --inspect a.js", unknown);
	check_node("node --version", unknown);
	check_node("node -i", unknown);
	check_node("node --experimental-default-type=module a.js", unknown);
	check_node("node --print=true -e x", "an option lacks its value");
	check_node("node -e", "an option lacks its value");
	check_node("node -e -x", "an option lacks its value");
	check_node("node -p -e x", "an option lacks its value");
	check_node("node -e x -e y", "two programs");
	check_node("node inspect a.js", "it starts the debugger");
	check_node("node -e x inspect", "it starts the debugger");
}

static void test_node_options_of_the_environment(void **state)
{
	(void)state;
	assert_true(node_options_known(""));
	assert_true(node_options_known("--no-warnings  -r ./x.js --max-old-space-size=100"));
	assert_false(node_options_known("--inspect"));
	assert_false(node_options_known("--require"));
	assert_false(node_options_known("--require \"./a b.js\""));
	assert_false(node_options_known("--no-warnings x"));
	assert_false(node_options_known("-e x"));
	assert_non_null(interp_env_check(interp_of("node"), "NODE_OPTIONS=--inspect"));
	assert_null(interp_env_check(interp_of("node"), "NODE_OPTIONS=--no-warnings"));
	assert_null(interp_env_check(interp_of("node"), "NODE_OPTIONSX=--inspect"));
	assert_null(interp_env_check(interp_of("python3"), "NODE_OPTIONS=--inspect"));
}

/* want: "THE KEY'S WORDS|what|PROGRAM|class path|the program's arguments", or the reason. */
static void check_java(const char *text, const char *want)
{
	char copy[256], got[512] = "", *argv[32], *save = NULL;
	struct interp_line line;
	struct java_line java;
	const char *why;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	if (interp_line_parse(interp_of("java"), argv, n, &line, &why)) {
		assert_string_equal(why, want);
		return;
	}
	assert_int_equal(java_line_parse(argv, n, &java, &why), 0);
	for (size_t i = 0; i < line.n_words; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", line.word[i]);
	snprintf(got + strlen(got), sizeof(got) - strlen(got), "|%c%s|%s|%s|", line.what, line.cwd ? " cwd" : "",
	         line.program, java.class_path ? java.class_path : "-");
	for (size_t i = java.args; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i > java.args ? " " : "", argv[i]);
	assert_string_equal(got, want);
}

static void test_java(void **state)
{
	static const char unknown[] = "an option that is not known, or that does more than run a program";

	(void)state;
	check_java("java Main", "java|k|Main|-|");
	check_java("java Main -cp x @y", "java|k|Main|-|-cp x @y");
	check_java("java -cp a:b -Xmx9m --class-path c Main x", "java -Xmx9m|k|Main|c|x");
	check_java("java --class-path=a -ea:x... Main", "java -ea:x...|k|Main|a|");
	check_java("java -classpath a --add-opens b/c=d Main", "java --add-opens b/c=d|k|Main|a|");
	check_java("java --add-opens=b/c=d -Da=b Main", "java --add-opens=b/c=d -Da=b|k|Main|-|");
	check_java("java -cp x -jar a.jar -y", "java -jar a.jar|j cwd|a.jar|x|-y");
	check_java("java -Da -jar /a.jar", "java -Da -jar /a.jar|j|/a.jar|-|");
	check_java("java", "no program");
	check_java("java -jar", "no program");
	check_java("java -ea", "no program");
	check_java("java -cp", unknown);
	check_java("java -version", unknown);
	check_java("java -m a/b", unknown);
	check_java("java -p x Main", unknown);
	check_java("java -javaagent:x.jar Main", unknown);
	check_java("java -Xlog:gc Main", unknown);
	check_java("java -Djava.system.class.loader=x Main", unknown);
	check_java("java -Duser.dir=x Main", unknown);
	check_java("java --class-path-x=y Main", unknown);
	check_java("java -jar -ea a.jar", "options behind -jar");
	check_java("java @x Main", "options from a file");
	check_java("java -cp @x Main", "options from a file");
	check_java("java x/Main.java", "a source file, which is compiled first");
	check_java("java -cp lib/* Main", "a class path with *, which the launcher itself expands");
}

static void test_interpreters_are_known_by_name(void **state)
{
	(void)state;
	assert_non_null(interp_of("/usr/bin/python"));
	assert_non_null(interp_of("python3.11"));
	assert_non_null(interp_of("/srv/venv/bin/python3"));
	assert_null(interp_of("/usr/bin/python3-config"));
	assert_null(interp_of("/usr/bin/pythonista"));
	assert_null(interp_of("/usr/bin/python3/x"));
	assert_null(interp_of("/usr/bin/perl"));
	assert_non_null(interp_of("/usr/bin/nodejs"));
	assert_non_null(interp_of("/usr/bin/java"));
	assert_null(interp_of("/usr/bin/javac"));
	assert_null(interp_of("/usr/bin/nodemon"));
}

static void test_relative_paths_are_noticed(void **state)
{
	(void)state;
	assert_false(interp_path_is_relative(""));
	assert_false(interp_path_is_relative("/a:/b"));
	assert_true(interp_path_is_relative("/a:b"));
	assert_true(interp_path_is_relative("src"));
	assert_true(interp_path_is_relative("/a:"));
	assert_true(interp_path_is_relative(":/a"));
}

/* want: "INTERPRETER|ARGUMENT|NAME behind env", "-" for none of it. */
static void check_script(const char *text, const char *want)
{
	char head[INTERP_HEAD_MAX], got[512];
	const char *word[INTERP_ENV_WORDS_MAX + 1];
	struct interp_script script;
	size_t len = strlen(text);

	memcpy(head, text, len);
	if (!interp_script_parse(head, len, &script)) {
		assert_string_equal("no", want);
		return;
	}
	snprintf(got, sizeof(got), "%s|%s|", script.interpreter, script.argument ? script.argument : "-");
	if (!interp_script_env(&script, word))
		strcat(got, "-");
	else
		for (size_t i = 0; word[i]; i++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? "," : "", word[i]);
	assert_string_equal(got, want);
}

static bool names_one(const char *line)
{
	char head[INTERP_HEAD_MAX];
	struct interp_script script;

	snprintf(head, sizeof(head), "%s", line);
	assert_true(interp_script_parse(head, strlen(head), &script));
	return interp_script_env_names_one(&script);
}

static void test_interpreters_that_env_starts_are_told_from_others(void **state)
{
	(void)state;
	assert_true(names_one("#!/usr/bin/env -i python3\n"));
	assert_true(names_one("#!/usr/bin/env -S 'python3' -u\n"));
	assert_true(names_one("#!/usr/bin/env -S /usr/bin/node\n"));
	assert_false(names_one("#!/usr/bin/env -S bash -e\n"));
	assert_false(names_one("#!/usr/bin/env\n"));
	assert_false(names_one("#!/usr/bin/python3 -u\n"));
}

static void test_script_lines_are_read_as_the_kernel_reads_them(void **state)
{
	(void)state;
	check_script("#!/usr/bin/python3\nprint()\n", "/usr/bin/python3|-|-");
	check_script("#! /usr/bin/python3 \t\n", "/usr/bin/python3|-|-");
	check_script("#!/usr/bin/python3 -u  -B \n", "/usr/bin/python3|-u  -B|-");
	check_script("#!/usr/bin/env python3\n", "/usr/bin/env|python3|python3");
	check_script("#!/usr/bin/env -S python3 -u\n", "/usr/bin/env|-S python3 -u|python3,-u");
	check_script("#!/usr/bin/env -Spython3\n", "/usr/bin/env|-Spython3|python3");
	check_script("#!/usr/bin/env -S  python3\t-X a=b  -B\n",
	             "/usr/bin/env|-S  python3\t-X a=b  -B|python3,-X,a=b,-B");
	check_script("#!/usr/bin/env -S python3 'a b'\n", "/usr/bin/env|-S python3 'a b'|-");
	check_script("#!/usr/bin/env -S A=b python3\n", "/usr/bin/env|-S A=b python3|-");
	check_script("#!/usr/bin/env -S -i python3\n", "/usr/bin/env|-S -i python3|-");
	check_script("#!/usr/bin/env -S python3 $A\n", "/usr/bin/env|-S python3 $A|-");
	check_script("#!/usr/bin/env -S\n", "/usr/bin/env|-S|-");
	check_script("#!/usr/bin/env -S a b c d e f g h i\n", "/usr/bin/env|-S a b c d e f g h i|-");
	check_script("#!/usr/bin/env python3 -u\n", "/usr/bin/env|python3 -u|-");
	check_script("#!/usr/bin/env A=b\n", "/usr/bin/env|A=b|-");
	check_script("#!\n/usr/bin/python3\n", "no");
	check_script("#!/usr/bin/python3", "no");
	check_script("# !/usr/bin/python3\n", "no");
	check_script("\177ELF", "no");
	check_script("#!", "no");
	check_script("", "no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_the_program_is_found_behind_the_options),
	        cmocka_unit_test(test_options_share_words),
	        cmocka_unit_test(test_options_have_values),
	        cmocka_unit_test(test_lines_without_a_program_are_refused),
	        cmocka_unit_test(test_node_programs),
	        cmocka_unit_test(test_node_options),
	        cmocka_unit_test(test_node_options_of_the_environment),
	        cmocka_unit_test(test_java),
	        cmocka_unit_test(test_interpreters_are_known_by_name),
	        cmocka_unit_test(test_relative_paths_are_noticed),
	        cmocka_unit_test(test_script_lines_are_read_as_the_kernel_reads_them),
	        cmocka_unit_test(test_interpreters_that_env_starts_are_told_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
