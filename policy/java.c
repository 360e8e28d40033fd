/* SPDX-License-Identifier: MIT */
#include "policy/java.h"

#include <errno.h>
#include <string.h>

/* A name that ends in `*` stands for all that begin so. */
static const char *const options[] = {
        "--enable-preview",
        "-D*",
        "-Xbatch",
        "-Xcomp",
        "-Xint",
        "-Xmixed",
        "-Xmn*",
        "-Xms*",
        "-Xmx*",
        "-Xnoclassgc",
        "-Xrs",
        "-Xshare:auto",
        "-Xshare:off",
        "-Xss*",
        "-XX:+CrashOnOutOfMemoryError",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:+TieredCompilation",
        "-XX:+UseG1GC",
        "-XX:+UseParallelGC",
        "-XX:+UseSerialGC",
        "-XX:-OmitStackTraceInFastThrow",
        "-XX:-TieredCompilation",
        "-XX:-UsePerfData",
        "-XX:ActiveProcessorCount=*",
        "-XX:CICompilerCount=*",
        "-XX:ConcGCThreads=*",
        "-XX:InitialHeapSize=*",
        "-XX:InitialRAMPercentage=*",
        "-XX:MaxDirectMemorySize=*",
        "-XX:MaxGCPauseMillis=*",
        "-XX:MaxHeapSize=*",
        "-XX:MaxMetaspaceSize=*",
        "-XX:MaxRAMPercentage=*",
        "-XX:MetaspaceSize=*",
        "-XX:MinRAMPercentage=*",
        "-XX:ParallelGCThreads=*",
        "-XX:ReservedCodeCacheSize=*",
        "-XX:TieredStopAtLevel=*",
        "-da",
        "-da:*",
        "-disableassertions",
        "-disableassertions:*",
        "-disablesystemassertions",
        "-dsa",
        "-ea",
        "-ea:*",
        "-enableassertions",
        "-enableassertions:*",
        "-enablesystemassertions",
        "-esa",
        "-server",
        NULL,
};

/* With a value, behind `=` or in the next word. */
static const char *const with_value[] = {
        "--add-exports", "--add-modules", "--add-opens", "--add-reads", "--class-path", "--limit-modules", NULL,
};

/* Properties that say how the machine itself is made. */
static const char *const not_properties[] = {
        "-Dcom.sun.management*",
        "-Djava.class.path*",
        "-Djava.home*",
        "-Djava.security.manager*",
        "-Djava.system.class.loader*",
        "-Djdk.internal.*",
        "-Djdk.module.*",
        "-Dsun.boot.*",
        "-Dsun.java.*",
        "-Duser.dir*",
        NULL,
};

static bool is_listed(const char *word, const char *const *list)
{
	for (; *list; list++) {
		size_t len = strlen(*list);

		if ((*list)[len - 1] == '*' ? strncmp(word, *list, len - 1) == 0 : strcmp(word, *list) == 0)
			return true;
	}
	return false;
}

/* The length of the option's name if it is one of those that have a value, else 0. */
static size_t name_with_value(const char *word)
{
	size_t len = strcspn(word, "=");

	for (const char *const *name = with_value; *name; name++) {
		if (strlen(*name) == len && memcmp(*name, word, len) == 0)
			return len;
	}
	return strcmp(word, "-cp") == 0 || strcmp(word, "-classpath") == 0 ? len : 0;
}

size_t java_option_words(char *const *argv, size_t n_argv, size_t at, bool *is_class_path)
{
	const char *word = argv[at];
	size_t len = name_with_value(word);

	*is_class_path = len && (word[1] == 'c' || strncmp(word, "--class-path", len) == 0);
	if (len)
		return word[len] == '=' ? 1 : at + 1 < n_argv ? 2 : 0;
	return is_listed(word, options) && !is_listed(word, not_properties) ? 1 : 0;
}

static int refuse(const char **why, const char *words)
{
	*why = words;
	return -EINVAL;
}

static bool is_source(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".java") == 0;
}

int java_line_parse(char *const *argv, size_t n_argv, struct java_line *ret, const char **why)
{
	size_t at = 1;

	memset(ret, 0, sizeof(*ret));
	while (at < n_argv && argv[at][0] == '-' && strcmp(argv[at], "-jar") != 0) {
		bool is_class_path;
		size_t n = java_option_words(argv, n_argv, at, &is_class_path);

		if (!n)
			return refuse(why, "an option that is not known, or that does more than run a program");
		if (argv[at + n - 1][0] == '@')
			return refuse(why, "options from a file");
		if (is_class_path)
			ret->class_path = n == 2 ? argv[at + 1] : strchr(argv[at], '=') + 1;
		at += n;
	}
	ret->n_options = at - 1;
	if (at < n_argv && argv[at][0] == '-') {
		ret->kind = JAVA_JAR;
		at++;
	}
	if (at >= n_argv || !argv[at][0])
		return refuse(why, "no program");
	ret->program = argv[at];
	ret->args = at + 1;
	if (ret->program[0] == '@')
		return refuse(why, "options from a file");
	if (ret->kind == JAVA_JAR && ret->program[0] == '-')
		return refuse(why, "options behind -jar");
	if (ret->kind == JAVA_CLASS && is_source(ret->program))
		return refuse(why, "a source file, which is compiled first");
	if (ret->class_path && strchr(ret->class_path, '*'))
		return refuse(why, "a class path with *, which the launcher itself expands");
	return 0;
}
