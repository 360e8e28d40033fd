/* SPDX-License-Identifier: MIT */
/* The native half of warm.Native: the words to warmd, which are libwarm's (sdk/c). Hook.java is the flow. */
#include "sdk/java/jni_text.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <warm_Native.h> /* made by javac */

#include "base/clean.h"
#include "sdk/c/ask.h"
#include "sdk/c/launch.h"
#include "sdk/c/wire.h"

/* The process has one hook, and so one conversation; Hook.run() is synchronized. */
static int connection = -1;
static struct hook_answer answer;

JNIEXPORT jboolean JNICALL Java_warm_Native_isWanted(JNIEnv *env, jclass self)
{
	(void)env;
	(void)self;
	connection = ask_wanted();
	return connection >= 0;
}

JNIEXPORT jboolean JNICALL Java_warm_Native_declare(JNIEnv *env, jclass self, jobjectArray paths)
{
	struct texts path = {0};
	int r = texts_of(env, paths, &path);

	(void)self;
	if (r == 0)
		r = ask_depends(connection, path.list, path.n, NULL, 0);
	texts_fini(&path);
	return r == 0;
}

JNIEXPORT jint JNICALL Java_warm_Native_ask(JNIEnv *env, jclass self, jboolean argv, jint fixed, jboolean cwd,
                                            jobjectArray names)
{
	struct texts name = {0};
	struct wire_ready ready = {
	        .hook_fd = (uint32_t)connection,
	        .argv_from_launch = argv,
	        .fixed_args = (uint32_t)fixed,
	        .cwd_from_launch = cwd,
	        .sdk = "java 1",
	};
	int r = texts_of(env, names, &name);

	(void)self;
	ready.env = name.list;
	ready.n_env = name.n;
	fflush(NULL);   /* of native libraries that use stdio */
	malloc_trim(0); /* what the heap of libc holds free is no part of the snapshot */
	if (r == 0)
		r = ask_ready(connection, &ready, &answer); /* here the snapshot is taken, and here a copy begins */
	if (r == 0 && answer.outcome == OUTCOME_RESTORED) {
		launch_stdio();
		if (launch_environment(&answer, name.list, name.n) < 0)
			throw_error(env, "set the launch's environment", -ENOMEM);
	}
	texts_fini(&name);
	return r == 0 ? (jint)answer.outcome : OUTCOME_COLD; /* as Warm.Outcome, or Native.UNWANTED */
}

JNIEXPORT void JNICALL Java_warm_Native_close(JNIEnv *env, jclass self)
{
	(void)env;
	(void)self;
	if (connection >= 0)
		close(connection);
	connection = -1;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

JNIEXPORT jstring JNICALL Java_warm_Native_refusal(JNIEnv *env, jclass self)
{
	(void)self;
	return (*env)->NewStringUTF(env, answer.reason && *answer.reason ? answer.reason : "the daemon went away");
}

JNIEXPORT jobjectArray JNICALL Java_warm_Native_launchChanges(JNIEnv *env, jclass self)
{
	(void)self;
	return text_array(env, answer.env_change, answer.n_env_change);
}

JNIEXPORT jobjectArray JNICALL Java_warm_Native_launchArguments(JNIEnv *env, jclass self)
{
	(void)self;
	return text_array(env, answer.argv, answer.argc);
}

JNIEXPORT jint JNICALL Java_warm_Native_launchFixedArguments(JNIEnv *env, jclass self)
{
	(void)env;
	(void)self;
	return (jint)answer.fixed_args;
}

JNIEXPORT jlong JNICALL Java_warm_Native_generation(JNIEnv *env, jclass self)
{
	(void)env;
	(void)self;
	return (jlong)answer.generation;
}

/* ---- the process ------------------------------------------------------------------------------------------------- */

JNIEXPORT jobjectArray JNICALL Java_warm_Native_environment(JNIEnv *env, jclass self)
{
	size_t n = 0;

	(void)self;
	while (environ && environ[n])
		n++;
	return text_array(env, environ, n);
}

/* Without the Java machine's way to the end: a copy that could not become what was launched has nothing to clean up. */
JNIEXPORT void JNICALL Java_warm_Native_leave(JNIEnv *env, jclass self, jint status)
{
	(void)env;
	(void)self;
	_exit(status);
}
