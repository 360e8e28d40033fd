/* SPDX-License-Identifier: MIT */
/*
 * A command line of Java (OpenJDK 17), read as its launcher reads it (java(1)): which words are options, which class or
 * archive it runs. Only options that are known to change nothing but what the key has are let through. Pure; used by
 * warmd for the key and by the pre-warmed Java machine for the launch.
 */
#ifndef WARM_POLICY_JAVA_H
#define WARM_POLICY_JAVA_H

#include <stdbool.h>
#include <stddef.h>

enum java_program {
	JAVA_CLASS,
	JAVA_JAR, /* -jar ARCHIVE: $CLASSPATH and -cp do not count */
};

struct java_line {
	enum java_program kind;
	const char *program;    /* the class or the archive */
	const char *class_path; /* of the last -cp; NULL: there is none */
	size_t n_options;       /* argv[1..n_options] are options and their values, without -jar */
	size_t args;            /* argv[args..] are the program's arguments */
};

/* 0, or -EINVAL: there is no program, or an option that is not let through; *why says it in words. The strings stay the
 * caller's. argv[0] must be there. */
int java_line_parse(char *const *argv, size_t n_argv, struct java_line *ret, const char **why);

/* How many words the option at argv[at] and its value are; 0: it is not let through. */
size_t java_option_words(char *const *argv, size_t n_argv, size_t at, bool *is_class_path);

#endif
