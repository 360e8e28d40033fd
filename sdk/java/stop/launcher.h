/* SPDX-License-Identifier: MIT */
/*
 * The JDK's launcher, into which this library was loaded (LD_PRELOAD). Its first thread makes the thread "main", with a
 * table of functions, and waits for its end; the function that makes the Java machine is exchanged there.
 */
#ifndef WARM_SDK_JAVA_STOP_LAUNCHER_H
#define WARM_SDK_JAVA_STOP_LAUNCHER_H

#include <jni.h>
#include <limits.h>
#include <stdbool.h>

#define EXPORT __attribute__((visibility("default")))

typedef jint create_machine_fn(JavaVM **machine, void **env, void *args);

/* What the launcher hands to the thread "main". */
struct launcher_args {
	int argc;
	char **argv;
	int mode;
	char *what;
	create_machine_fn *create;
};

/* Before main(): whether this is a Java launcher; library: where this library is. */
bool launcher_is_here(char library[PATH_MAX]);

/* The thread "main" will call this one, which calls launcher_create_machine(). */
void launcher_watch(create_machine_fn *instead);

/* Of the thread "main". */
const struct launcher_args *launcher_args(void);
jint launcher_create_machine(JavaVM **machine, void **env, void *args);

#endif
