/* SPDX-License-Identifier: MIT */
/* Text between C and Java, as byte[]: what the kernel hands us need not be in any encoding. */
#ifndef WARM_SDK_JAVA_TEXT_H
#define WARM_SDK_JAVA_TEXT_H

#include <errno.h>
#include <jni.h>
#include <stddef.h>

/* malloc'ed strings: texts_fini(). */
struct texts {
	char **list;
	size_t n;
};

/* Of a byte[][]. Returns 0 or -ENOMEM; texts_fini() in both cases. */
int texts_of(JNIEnv *env, jobjectArray array, struct texts *ret);
void texts_fini(struct texts *texts);

/* A byte[][]; NULL with an exception pending if there is no memory. */
jobjectArray text_array(JNIEnv *env, char *const *list, size_t n);

/* Leaves an IllegalStateException pending: "could not WHAT: STRERROR". */
void throw_error(JNIEnv *env, const char *what, int error);

#endif
