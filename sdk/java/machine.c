/* SPDX-License-Identifier: MIT */
/*
 * The native half of warm.Native: what the Java machine keeps for itself. JNI asks for no permission, so programs need
 * no
 * --add-opens. Classes and objects are found by JVMTI, whose environment lives for one question only.
 */
#include <jni.h>
#include <jvmti.h>
#include <errno.h>
#include <stddef.h>
#include <sys/random.h>
#include <warm_Native.h> /* made by javac */

#include "sdk/java/jni_text.h"

#define FOUND_TAG 1

static void fail(JNIEnv *env, const char *what)
{
	jclass type = (*env)->FindClass(env, "java/lang/UnsupportedOperationException");

	if (type)
		(*env)->ThrowNew(env, type, what);
}

static jvmtiEnv *open_jvmti(JNIEnv *env)
{
	const jvmtiCapabilities tags = {.can_tag_objects = 1};
	jvmtiEnv *jvmti = NULL;
	JavaVM *machine;

	if ((*env)->GetJavaVM(env, &machine) != JNI_OK ||
	    (*machine)->GetEnv(machine, (void **)&jvmti, JVMTI_VERSION_11) != JNI_OK)
		return NULL;
	if ((*jvmti)->AddCapabilities(jvmti, &tags) == JVMTI_ERROR_NONE)
		return jvmti;
	(*jvmti)->DisposeEnvironment(jvmti);
	return NULL;
}

/* Takes over the list, and the local references in it. */
static jobjectArray as_array(JNIEnv *env, jvmtiEnv *jvmti, const char *type, jobject *list, jint n)
{
	jclass element = (*env)->FindClass(env, type);
	jobjectArray array = element ? (*env)->NewObjectArray(env, n, element, NULL) : NULL;

	for (jint i = 0; i < n; i++) {
		if (array)
			(*env)->SetObjectArrayElement(env, array, i, list[i]);
		(*env)->DeleteLocalRef(env, list[i]);
	}
	(*jvmti)->Deallocate(jvmti, (unsigned char *)list);
	return array;
}

JNIEXPORT jobjectArray JNICALL Java_warm_Native_loadedClasses(JNIEnv *env, jclass self)
{
	jvmtiEnv *jvmti = open_jvmti(env);
	jobjectArray array = NULL;
	jclass *list = NULL;
	jint n = 0;

	(void)self;
	if (jvmti && (*jvmti)->GetLoadedClasses(jvmti, &n, &list) == JVMTI_ERROR_NONE)
		array = as_array(env, jvmti, "java/lang/Class", list, n);
	else
		fail(env, "the Java machine does not list its classes");
	if (jvmti)
		(*jvmti)->DisposeEnvironment(jvmti);
	return array;
}

static jvmtiIterationControl JNICALL tag_object(jlong class_tag, jlong size, jlong *tag, void *data)
{
	(void)class_tag;
	(void)size;
	(void)data;
	*tag = FOUND_TAG;
	return JVMTI_ITERATION_CONTINUE;
}

JNIEXPORT jobjectArray JNICALL Java_warm_Native_instances(JNIEnv *env, jclass self, jclass type)
{
	jvmtiEnv *jvmti = open_jvmti(env);
	const jlong tag = FOUND_TAG;
	jobjectArray array = NULL;
	jobject *list = NULL;
	jint n = 0;

	(void)self;
	if (jvmti &&
	    (*jvmti)->IterateOverInstancesOfClass(jvmti, type, JVMTI_HEAP_OBJECT_EITHER, tag_object, NULL) ==
	            JVMTI_ERROR_NONE &&
	    (*jvmti)->GetObjectsWithTags(jvmti, 1, &tag, &n, &list, NULL) == JVMTI_ERROR_NONE)
		array = as_array(env, jvmti, "java/lang/Object", list, n);
	else
		fail(env, "the Java machine does not list its objects");
	if (jvmti)
		(*jvmti)->DisposeEnvironment(jvmti);
	return array;
}

/* ---- fields and methods. A failed look-up leaves NoSuchFieldError or NoSuchMethodError pending. ------------------ */

struct name {
	const char *text;
	jstring of;
};

static struct name name_take(JNIEnv *env, jstring string)
{
	return (struct name){(*env)->GetStringUTFChars(env, string, NULL), string};
}

static void name_drop(JNIEnv *env, struct name name)
{
	if (name.text)
		(*env)->ReleaseStringUTFChars(env, name.of, name.text);
}

/* `object`: NULL for a static field. */
static jfieldID find_field(JNIEnv *env, jclass type, jobject object, jstring name, const char *signature)
{
	struct name field = name_take(env, name);
	jfieldID id = NULL;

	if (field.text && signature)
		id = object ? (*env)->GetFieldID(env, type, field.text, signature)
		            : (*env)->GetStaticFieldID(env, type, field.text, signature);
	name_drop(env, field);
	return id;
}

JNIEXPORT jobject JNICALL Java_warm_Native_getObject(JNIEnv *env, jclass self, jclass type, jobject object,
                                                     jstring name, jstring signature)
{
	struct name of = name_take(env, signature);
	jfieldID id = find_field(env, type, object, name, of.text);

	(void)self;
	name_drop(env, of);
	if (!id)
		return NULL;
	return object ? (*env)->GetObjectField(env, object, id) : (*env)->GetStaticObjectField(env, type, id);
}

JNIEXPORT void JNICALL Java_warm_Native_setObject(JNIEnv *env, jclass self, jclass type, jobject object, jstring name,
                                                  jstring signature, jobject value)
{
	struct name of = name_take(env, signature);
	jfieldID id = find_field(env, type, object, name, of.text);

	(void)self;
	name_drop(env, of);
	if (id)
		(*env)->SetObjectField(env, object, id, value);
}

JNIEXPORT jint JNICALL Java_warm_Native_getInt(JNIEnv *env, jclass self, jclass type, jobject object, jstring name)
{
	jfieldID id = find_field(env, type, object, name, "I");

	(void)self;
	return id ? (*env)->GetIntField(env, object, id) : 0;
}

JNIEXPORT void JNICALL Java_warm_Native_setInt(JNIEnv *env, jclass self, jclass type, jobject object, jstring name,
                                               jint value)
{
	jfieldID id = find_field(env, type, object, name, "I");

	(void)self;
	if (id)
		(*env)->SetIntField(env, object, id, value);
}

JNIEXPORT jlong JNICALL Java_warm_Native_getLong(JNIEnv *env, jclass self, jclass type, jobject object, jstring name)
{
	jfieldID id = find_field(env, type, object, name, "J");

	(void)self;
	return id ? (*env)->GetLongField(env, object, id) : 0;
}

JNIEXPORT void JNICALL Java_warm_Native_setLong(JNIEnv *env, jclass self, jclass type, jobject object, jstring name,
                                                jlong value)
{
	jfieldID id = find_field(env, type, object, name, "J");

	(void)self;
	if (id)
		(*env)->SetLongField(env, object, id, value);
}

JNIEXPORT jobject JNICALL Java_warm_Native_callStatic(JNIEnv *env, jclass self, jclass type, jstring name,
                                                      jstring signature, jbyteArray argument)
{
	struct name method = name_take(env, name), of = name_take(env, signature);
	jmethodID id = method.text && of.text ? (*env)->GetStaticMethodID(env, type, method.text, of.text) : NULL;

	(void)self;
	name_drop(env, method);
	name_drop(env, of);
	return id ? (*env)->CallStaticObjectMethod(env, type, id, argument) : NULL;
}

JNIEXPORT void JNICALL Java_warm_Native_setSeed(JNIEnv *env, jclass self, jobject generator, jbyteArray seed)
{
	jclass type = (*env)->GetObjectClass(env, generator);
	jmethodID id = (*env)->GetMethodID(env, type, "engineSetSeed", "([B)V");

	(void)self;
	if (id)
		(*env)->CallVoidMethod(env, generator, id, seed);
}

/* ---- the kernel ---------------------------------------------------------------------------------------------------
 */

JNIEXPORT jlong JNICALL Java_warm_Native_random(JNIEnv *env, jclass self)
{
	jlong value = 0;

	(void)self;
	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		throw_error(env, "ask the kernel for random numbers", -errno);
	return value;
}
