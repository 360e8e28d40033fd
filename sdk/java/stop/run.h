/* SPDX-License-Identifier: MIT */
/* What the launcher does in the thread "main" once the Java machine is there, for another program. */
#ifndef WARM_SDK_JAVA_STOP_RUN_H
#define WARM_SDK_JAVA_STOP_RUN_H

#include <jni.h>
#include <stddef.h>

struct java_line;

/* Runs the program and ends the process as the launcher does. */
void run_program(JavaVM *machine, JNIEnv *env, const struct java_line *line, char *const *argv, size_t n_argv)
        __attribute__((noreturn));

#endif
