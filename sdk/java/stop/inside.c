/* SPDX-License-Identifier: MIT */
#include "sdk/java/stop/inside.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <warm_Native.h> /* made by javac */

#define LENGTH_DIGITS 8

/* Class files, each behind its length in hexadecimal digits: superclasses first. */
extern const char _binary_stop_classes_start[], _binary_stop_classes_end[];

#define METHOD(name, signature)                                                                                        \
	{                                                                                                              \
#name, signature, (void *)Java_warm_Native_##name                                                      \
	}

static bool add_natives(JNIEnv *env, jclass type)
{
	static const struct {
		const char *name, *signature;
		void *function;
	} methods[] = {
	        METHOD(loadedClasses, "()[Ljava/lang/Class;"),
	        METHOD(instances, "(Ljava/lang/Class;)[Ljava/lang/Object;"),
	        METHOD(getObject,
	               "(Ljava/lang/Class;Ljava/lang/Object;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/Object;"),
	        METHOD(getInt, "(Ljava/lang/Class;Ljava/lang/Object;Ljava/lang/String;)I"),
	        METHOD(setObject,
	               "(Ljava/lang/Class;Ljava/lang/Object;Ljava/lang/String;Ljava/lang/String;Ljava/lang/Object;)V"),
	        METHOD(setInt, "(Ljava/lang/Class;Ljava/lang/Object;Ljava/lang/String;I)V"),
	        METHOD(setLong, "(Ljava/lang/Class;Ljava/lang/Object;Ljava/lang/String;J)V"),
	        METHOD(setSeed, "(Ljava/lang/Object;[B)V"),
	        METHOD(random, "()J"),
	};
	const size_t n = sizeof(methods) / sizeof(methods[0]);
	JNINativeMethod list[sizeof(methods) / sizeof(methods[0])];

	for (size_t i = 0; i < n; i++)
		list[i] = (JNINativeMethod){(char *)methods[i].name, (char *)methods[i].signature, methods[i].function};
	return (*env)->RegisterNatives(env, type, list, (jint)n) == JNI_OK;
}

/* A loader that finds what is defined in it here, and the Java machine's own. */
static jobject make_loader(JNIEnv *env)
{
	jclass type = (*env)->FindClass(env, "java/security/SecureClassLoader");
	jmethodID make = type ? (*env)->GetMethodID(env, type, "<init>", "(Ljava/lang/ClassLoader;)V") : NULL;

	return make ? (*env)->NewObject(env, type, make, NULL) : NULL;
}

/* What loadClass() makes of the name. */
static jclass find(JNIEnv *env, jobject loader, const char *name)
{
	jclass type = (*env)->FindClass(env, "java/lang/ClassLoader");
	jmethodID load = type ? (*env)->GetMethodID(env, type, "loadClass", "(Ljava/lang/String;)Ljava/lang/Class;")
	                      : NULL;
	jstring text = load ? (*env)->NewStringUTF(env, name) : NULL;

	return text ? (*env)->CallObjectMethod(env, loader, load, text) : NULL;
}

static bool define_all(JNIEnv *env, jobject loader)
{
	for (const char *at = _binary_stop_classes_start; (uintptr_t)at < (uintptr_t)_binary_stop_classes_end;) {
		char digits[LENGTH_DIGITS + 1] = "";
		jclass type;
		jsize len;

		memcpy(digits, at, LENGTH_DIGITS);
		len = (jsize)strtol(digits, NULL, 16);
		at += LENGTH_DIGITS;
		type = (*env)->DefineClass(env, NULL, loader, (const jbyte *)at, len);
		if (!type)
			return false;
		(*env)->DeleteLocalRef(env, type);
		at += len;
	}
	return true;
}

static bool find_class_path(JNIEnv *env, struct inside *ret)
{
	jclass loaders = (*env)->FindClass(env, "java/lang/ClassLoader"), type, builtin;
	jmethodID get = loaders ? (*env)->GetStaticMethodID(env, loaders, "getSystemClassLoader",
	                                                    "()Ljava/lang/ClassLoader;")
	                        : NULL;
	jobject loader = get ? (*env)->CallStaticObjectMethod(env, loaders, get) : NULL;

	type = loader ? (*env)->FindClass(env, "jdk/internal/loader/URLClassPath") : NULL;
	builtin = type ? (*env)->FindClass(env, "jdk/internal/loader/BuiltinClassLoader") : NULL;
	if (!builtin || !(*env)->IsInstanceOf(env, loader, builtin))
		return false;
	ret->make_class_path = (*env)->GetMethodID(env, type, "<init>", "(Ljava/lang/String;Z)V");
	if (!ret->make_class_path)
		return false;
	ret->set_class_path = (*env)->GetMethodID(env, builtin, "setClassPath",
	                                          "(Ljdk/internal/loader/URLClassPath;)V");
	ret->loader = (*env)->NewGlobalRef(env, loader);
	ret->class_path = (*env)->NewGlobalRef(env, type);
	return ret->set_class_path && ret->loader && ret->class_path;
}

bool inside_define(JNIEnv *env, struct inside *ret)
{
	jobject loader = make_loader(env);
	jclass native, stop;

	if (!loader || !define_all(env, loader))
		return false;
	native = find(env, loader, "warm.Native");
	if (!native || !add_natives(env, native))
		return false;
	stop = find(env, loader, "warm.Stop");
	ret->stop = stop ? (*env)->NewGlobalRef(env, stop) : NULL;
	ret->become = ret->stop ? (*env)->GetStaticMethodID(env, ret->stop, "become", "([B[B)V") : NULL;
	return ret->become && find_class_path(env, ret);
}

static char *string(JNIEnv *env, jbyteArray bytes)
{
	jsize len = (*env)->GetArrayLength(env, bytes);
	char *text = calloc(1, (size_t)len + 1);

	if (text)
		(*env)->GetByteArrayRegion(env, bytes, 0, len, (jbyte *)text);
	return text;
}

bool inside_prepare(JNIEnv *env, const struct inside *inside, char *const *names, size_t n_names, char **note,
                    struct texts *depends)
{
	jmethodID prepare = (*env)->GetStaticMethodID(env, inside->stop, "prepare", "([[B)[B"), list;
	jobjectArray array = prepare ? text_array(env, names, n_names) : NULL;
	jobject words = array ? (*env)->CallStaticObjectMethod(env, inside->stop, prepare, array) : NULL;

	if (!words)
		return false;
	*note = string(env, words);
	list = (*env)->GetStaticMethodID(env, inside->stop, "depends", "()[[B");
	array = list ? (*env)->CallStaticObjectMethod(env, inside->stop, list) : NULL;
	return *note && array && texts_of(env, array, depends) == 0;
}

static jbyteArray bytes_of(JNIEnv *env, const char *text)
{
	jsize len = (jsize)strlen(text);
	jbyteArray bytes = (*env)->NewByteArray(env, len);

	if (bytes)
		(*env)->SetByteArrayRegion(env, bytes, 0, len, (const jbyte *)text);
	return bytes;
}

/* What the system class loader made of its class path at its start it makes again. */
static bool set_class_path(JNIEnv *env, const struct inside *inside)
{
	jclass system = (*env)->FindClass(env, "java/lang/System");
	jmethodID get = (*env)->GetStaticMethodID(env, system, "getProperty", "(Ljava/lang/String;)Ljava/lang/String;");
	jstring text = (*env)->CallStaticObjectMethod(env, system, get, (*env)->NewStringUTF(env, "java.class.path"));
	jobject path = (*env)->NewObject(env, inside->class_path, inside->make_class_path, text, JNI_FALSE);

	if ((*env)->ExceptionCheck(env))
		return false;
	(*env)->CallVoidMethod(env, inside->loader, inside->set_class_path, path);
	return !(*env)->ExceptionCheck(env);
}

bool inside_become(JNIEnv *env, const struct inside *inside, const char *class_path, const char *command)
{
	jbyteArray path = class_path ? bytes_of(env, class_path) : NULL, words = bytes_of(env, command);

	if ((class_path && !path) || !words)
		return false;
	(*env)->CallStaticVoidMethod(env, inside->stop, inside->become, path, words);
	return !(*env)->ExceptionCheck(env) && (!class_path || set_class_path(env, inside));
}
