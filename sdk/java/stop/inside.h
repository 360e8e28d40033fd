/* SPDX-License-Identifier: MIT */
/* warm.Stop and what it needs, in a Java machine that has not loaded a program yet. All return false, with an exception
 * pending perhaps, where this machine is another one than those we know. */
#ifndef WARM_SDK_JAVA_STOP_INSIDE_H
#define WARM_SDK_JAVA_STOP_INSIDE_H

#include <jni.h>
#include <stdbool.h>
#include <stddef.h>
#include "sdk/java/jni_text.h"

struct inside {
	jclass stop; /* warm.Stop: a global reference */
	jmethodID become;
	jclass class_path; /* jdk.internal.loader.URLClassPath: a global reference */
	jmethodID make_class_path, set_class_path;
	jobject loader; /* the system class loader: a global reference */
};

/* Defines the classes. */
bool inside_define(JNIEnv *env, struct inside *ret);

/* Loads the classes named. note: malloc'ed, what went wrong with them. depends: texts_fini(). */
bool inside_prepare(JNIEnv *env, const struct inside *inside, char *const *names, size_t n_names, char **note,
                    struct texts *depends);

/* In a copy. class_path: NULL where it stays what it is. */
bool inside_become(JNIEnv *env, const struct inside *inside, const char *class_path, const char *command);

#endif
