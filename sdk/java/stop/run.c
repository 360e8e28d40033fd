/* SPDX-License-Identifier: MIT */
#include "sdk/java/stop/run.h"

#include <stdlib.h>
#include <string.h>

#include "policy/java.h"
#include "sdk/prewarm/symbols.h"

#define HELPER "sun/launcher/LauncherHelper"

/* How the launcher's Java half tells a class from an archive. */
enum { MODE_CLASS = 1, MODE_JAR = 2 };

static jstring text(JNIEnv *env, jclass helper, const char *bytes)
{
	jmethodID make = (*env)->GetStaticMethodID(env, helper, "makePlatformString", "(Z[B)Ljava/lang/String;");
	jsize len = (jsize)strlen(bytes);
	jbyteArray array = make ? (*env)->NewByteArray(env, len) : NULL;
	jstring ret;

	if (!array)
		return NULL;
	(*env)->SetByteArrayRegion(env, array, 0, len, (const jbyte *)bytes);
	ret = (*env)->CallStaticObjectMethod(env, helper, make, JNI_TRUE, array);
	(*env)->DeleteLocalRef(env, array);
	return ret;
}

static jclass load_main(JNIEnv *env, jclass helper, const struct java_line *line)
{
	jmethodID load = (*env)->GetStaticMethodID(env, helper, "checkAndLoadMain",
	                                           "(ZILjava/lang/String;)Ljava/lang/Class;");
	jstring name = load ? text(env, helper, line->program) : NULL;

	if (!name)
		return NULL;
	return (*env)->CallStaticObjectMethod(env, helper, load, JNI_TRUE,
	                                      line->kind == JAVA_JAR ? MODE_JAR : MODE_CLASS, name);
}

static jobjectArray arguments(JNIEnv *env, jclass helper, char *const *argv, size_t n)
{
	jclass type = (*env)->FindClass(env, "java/lang/String");
	jobjectArray array = type ? (*env)->NewObjectArray(env, (jsize)n, type, NULL) : NULL;

	for (size_t i = 0; array && i < n; i++) {
		jstring one = text(env, helper, argv[i]);

		if (!one)
			return NULL;
		(*env)->SetObjectArrayElement(env, array, (jsize)i, one);
		(*env)->DeleteLocalRef(env, one);
	}
	return array;
}

static void leave(JavaVM *machine, int status) __attribute__((noreturn));
static void leave(JavaVM *machine, int status)
{
	if ((*machine)->DetachCurrentThread(machine) != JNI_OK) /* here an exception is printed that nobody caught */
		status = 1;
	(*machine)->DestroyJavaVM(machine); /* waits for the program's threads */
	exit(status);
}

/* In the launcher's words. */
static void need(JavaVM *machine, JNIEnv *env, const void *what)
{
	void (*describe)(JNIEnv *) = any_symbol("JLI_ReportExceptionDescription");
	void (*say)(const char *, ...) = any_symbol("JLI_ReportErrorMessage");

	if ((*env)->ExceptionCheck(env))
		describe(env);
	else if (!what)
		say("Error: A JNI error has occurred, please check your installation and try again");
	else
		return;
	leave(machine, 1);
}

void run_program(JavaVM *machine, JNIEnv *env, const struct java_line *line, char *const *argv, size_t n_argv)
{
	jclass helper = (*env)->FindClass(env, HELPER), program;
	jmethodID get_application, main;
	jobjectArray words;

	need(machine, env, helper);
	program = load_main(env, helper, line);
	need(machine, env, program);
	get_application = (*env)->GetStaticMethodID(env, helper, "getApplicationClass", "()Ljava/lang/Class;");
	need(machine, env, get_application);
	need(machine, env, (*env)->CallStaticObjectMethod(env, helper, get_application));
	words = arguments(env, helper, argv + line->args, n_argv - line->args);
	need(machine, env, words);
	main = (*env)->GetStaticMethodID(env, program, "main", "([Ljava/lang/String;)V");
	need(machine, env, main);
	(*env)->CallStaticVoidMethod(env, program, main, words);
	leave(machine, (*env)->ExceptionCheck(env) ? 1 : 0);
}
