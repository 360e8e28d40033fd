/* SPDX-License-Identifier: MIT */
#include "sdk/java/jni_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(JNIEnv *env, jbyteArray bytes)
{
	jsize len = (*env)->GetArrayLength(env, bytes);
	char *text = malloc((size_t)len + 1);

	if (!text)
		return NULL;
	(*env)->GetByteArrayRegion(env, bytes, 0, len, (jbyte *)text);
	text[len] = '\0';
	return text;
}

int texts_of(JNIEnv *env, jobjectArray array, struct texts *ret)
{
	jsize n = (*env)->GetArrayLength(env, array);

	ret->list = calloc((size_t)n + 1, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	for (jsize i = 0; i < n; i++) {
		jbyteArray bytes = (*env)->GetObjectArrayElement(env, array, i);

		ret->list[i] = bytes ? text_of(env, bytes) : NULL;
		(*env)->DeleteLocalRef(env, bytes);
		if (!ret->list[i])
			return -ENOMEM;
		ret->n++;
	}
	return 0;
}

void texts_fini(struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		free(texts->list[i]);
	free(texts->list);
	*texts = (struct texts){0};
}

jobjectArray text_array(JNIEnv *env, char *const *list, size_t n)
{
	jclass type = (*env)->FindClass(env, "[B");
	jobjectArray array = type ? (*env)->NewObjectArray(env, (jsize)n, type, NULL) : NULL;

	for (size_t i = 0; array && i < n; i++) {
		jsize len = (jsize)strlen(list[i]);
		jbyteArray bytes = (*env)->NewByteArray(env, len);

		if (!bytes)
			return NULL;
		(*env)->SetByteArrayRegion(env, bytes, 0, len, (const jbyte *)list[i]);
		(*env)->SetObjectArrayElement(env, array, (jsize)i, bytes);
		(*env)->DeleteLocalRef(env, bytes);
	}
	return array;
}

void throw_error(JNIEnv *env, const char *what, int error)
{
	jclass type = (*env)->FindClass(env, "java/lang/IllegalStateException");
	char text[256];

	snprintf(text, sizeof(text), "could not %s: %s", what, strerror(-error));
	if (type)
		(*env)->ThrowNew(env, type, text);
}
