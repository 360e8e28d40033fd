/* SPDX-License-Identifier: MIT */
#include "sdk/java/stop/seeds.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <warm_Native.h> /* made by javac */

#include "sdk/java/stop/launcher.h"

#define ATOMIC "Ljava/util/concurrent/atomic/AtomicLong;"
#define RANDOM "Ljava/util/Random;"
#define IO     "Lsun/security/provider/NativePRNG$RandomIO;"
#define BYTES  "[B"

/* What a static field leads to: a seed; a generator, which has one; a buffer that is read ahead from the kernel. */
enum what { SEED, GENERATOR, BUFFER };

static const struct place {
	const char *type; /* * at the end: all that begin like this */
	const char *field, *as;
	enum what what;
} places[] = {
        {"Ljava/util/Random;", "seedUniquifier", ATOMIC, SEED},
        {"Ljava/util/concurrent/ThreadLocalRandom;", "seeder", ATOMIC, SEED},
        {"Ljava/util/SplittableRandom;", "defaultGen", ATOMIC, SEED},
        {"Ljdk/random/*", "defaultGen", ATOMIC, SEED},
        {"Ljdk/internal/random/*", "defaultGen", ATOMIC, SEED},
        {"Ljava/lang/Math$RandomNumberGeneratorHolder;", "randomNumberGenerator", RANDOM, GENERATOR},
        {"Ljava/lang/StrictMath$RandomNumberGeneratorHolder;", "randomNumberGenerator", RANDOM, GENERATOR},
        {"Ljava/util/Collections;", "r", RANDOM, GENERATOR},
        {"Lsun/security/provider/NativePRNG;", "INSTANCE", IO, BUFFER},
        {"Lsun/security/provider/NativePRNG$Blocking;", "INSTANCE", IO, BUFFER},
        {"Lsun/security/provider/NativePRNG$NonBlocking;", "INSTANCE", IO, BUFFER},
};

/* What the JDK's own secure generators (SHA1PRNG, DRBG) go on from. */
static const char *const secure_types[] = {"Lsun/security/provider/SecureRandom;",
                                           "Lsun/security/provider/AbstractDrbg;"};
static const char *const secure_fields[] = {"state", "remainder", "v", "c", "k"};

EXPORT struct seeds warm_java_seeds;

struct finder {
	JNIEnv *env;
	jvmtiEnv *jvmti;
	jobject unsafe;
	jmethodID field_offset;
	jlong value, thread_seed, bytes; /* offsets: AtomicLong's, Thread's, the first of a byte[] */
	size_t room;
};

/* ---- what is found ----------------------------------------------------------------------------------------------- */

static void add(struct finder *f, jobject object, jlong offset, jlong len)
{
	struct seeds *seeds = &warm_java_seeds;
	jweak reference;

	if (!object || offset <= 0 || len <= 0)
		return;
	if (seeds->n == f->room) {
		size_t room = f->room * 2 + 64;
		struct seed *more = reallocarray(seeds->list, room, sizeof(*more));

		if (!more)
			return;
		seeds->list = more;
		f->room = room;
	}
	reference = (*f->env)->NewWeakGlobalRef(f->env, object);
	if (reference)
		seeds->list[seeds->n++] = (struct seed){(uint64_t)(uintptr_t)reference, (uint64_t)offset,
		                                        (uint64_t)len};
}

/* NULL: no such field, or nothing in it. */
static jobject get(struct finder *f, jobject object, const char *name, const char *as)
{
	jclass type = (*f->env)->GetObjectClass(f->env, object);
	jfieldID id = (*f->env)->GetFieldID(f->env, type, name, as);

	(*f->env)->ExceptionClear(f->env);
	(*f->env)->DeleteLocalRef(f->env, type);
	return id ? (*f->env)->GetObjectField(f->env, object, id) : NULL;
}

static void add_bytes(struct finder *f, jobject object, const char *field)
{
	jobject bytes = get(f, object, field, BYTES);

	if (bytes)
		add(f, bytes, f->bytes, (*f->env)->GetArrayLength(f->env, bytes));
	(*f->env)->DeleteLocalRef(f->env, bytes);
}

static void add_place(struct finder *f, jclass type, const struct place *place)
{
	jfieldID id = (*f->env)->GetStaticFieldID(f->env, type, place->field, place->as);
	jobject found = id ? (*f->env)->GetStaticObjectField(f->env, type, id) : NULL, seed;

	(*f->env)->ExceptionClear(f->env);
	if (!found)
		return;
	seed = place->what == GENERATOR ? get(f, found, "seed", ATOMIC) : found;
	if (place->what == BUFFER)
		add_bytes(f, found, "nextBuffer");
	else
		add(f, seed, f->value, sizeof(jlong));
	if (seed != found)
		(*f->env)->DeleteLocalRef(f->env, seed);
	(*f->env)->DeleteLocalRef(f->env, found);
}

static void add_each(struct finder *f, jclass type, bool threads)
{
	jobjectArray all = Java_warm_Native_instances(f->env, NULL, type);
	jsize n = all ? (*f->env)->GetArrayLength(f->env, all) : 0;

	(*f->env)->ExceptionClear(f->env);
	for (jsize i = 0; i < n; i++) {
		jobject one = (*f->env)->GetObjectArrayElement(f->env, all, i);

		if (threads)
			add(f, one, f->thread_seed, sizeof(jlong));
		for (size_t j = 0; !threads && j < sizeof(secure_fields) / sizeof(secure_fields[0]); j++)
			add_bytes(f, one, secure_fields[j]);
		(*f->env)->DeleteLocalRef(f->env, one);
	}
	(*f->env)->DeleteLocalRef(f->env, all);
}

/* ---- where to look ----------------------------------------------------------------------------------------------- */

static bool is_place(const struct place *place, const char *signature)
{
	size_t len = strlen(place->type);

	return place->type[len - 1] == '*' ? strncmp(signature, place->type, len - 1) == 0
	                                   : strcmp(signature, place->type) == 0;
}

static void look_at_class(struct finder *f, jclass type)
{
	char *signature = NULL;
	jobject loader = NULL;
	jint status = 0;

	(*f->jvmti)->GetClassStatus(f->jvmti, type, &status);
	(*f->jvmti)->GetClassLoader(f->jvmti, type, &loader);
	if (status & JVMTI_CLASS_STATUS_INITIALIZED && !loader)
		(*f->jvmti)->GetClassSignature(f->jvmti, type, &signature, NULL);
	for (size_t i = 0; signature && i < sizeof(places) / sizeof(places[0]); i++)
		if (is_place(&places[i], signature))
			add_place(f, type, &places[i]);
	for (size_t i = 0; signature && i < sizeof(secure_types) / sizeof(secure_types[0]); i++)
		if (strcmp(signature, secure_types[i]) == 0)
			add_each(f, type, false);
	(*f->jvmti)->Deallocate(f->jvmti, (unsigned char *)signature);
	(*f->env)->DeleteLocalRef(f->env, loader);
}

static jlong offset_of(struct finder *f, jclass type, const char *field)
{
	jstring name = type ? (*f->env)->NewStringUTF(f->env, field) : NULL;
	jlong offset = name ? (*f->env)->CallLongMethod(f->env, f->unsafe, f->field_offset, type, name) : 0;

	if (!(*f->env)->ExceptionCheck(f->env))
		return offset;
	(*f->env)->ExceptionClear(f->env);
	return 0;
}

/* A number of 32 bits until JDK 25. 0: unknown. */
static jlong first_byte(struct finder *f, jclass unsafe)
{
	static const char name[] = "ARRAY_BYTE_BASE_OFFSET";
	jfieldID id = (*f->env)->GetStaticFieldID(f->env, unsafe, name, "I");

	if (id)
		return (*f->env)->GetStaticIntField(f->env, unsafe, id);
	(*f->env)->ExceptionClear(f->env);
	id = (*f->env)->GetStaticFieldID(f->env, unsafe, name, "J");
	(*f->env)->ExceptionClear(f->env);
	return id ? (*f->env)->GetStaticLongField(f->env, unsafe, id) : 0;
}

/* false, with an exception: another Java machine than those that are known. */
static bool prepare(struct finder *f)
{
	JNIEnv *env = f->env;
	jclass type = (*env)->FindClass(env, "jdk/internal/misc/Unsafe");
	jmethodID get_unsafe = type ? (*env)->GetStaticMethodID(env, type, "getUnsafe", "()Ljdk/internal/misc/Unsafe;")
	                            : NULL;

	f->unsafe = get_unsafe ? (*env)->CallStaticObjectMethod(env, type, get_unsafe) : NULL;
	if (!f->unsafe)
		return false;
	f->field_offset = (*env)->GetMethodID(env, type, "objectFieldOffset", "(Ljava/lang/Class;Ljava/lang/String;)J");
	if (!f->field_offset)
		return false;
	f->bytes = first_byte(f, type);
	return true;
}

void seeds_find(JNIEnv *env, jvmtiEnv *jvmti)
{
	struct finder f = {.env = env, .jvmti = jvmti};
	jclass *list = NULL, thread;
	jint n = 0;

	if (!prepare(&f)) {
		(*env)->ExceptionClear(env);
		return;
	}
	thread = (*env)->FindClass(env, "java/lang/Thread");
	f.value = offset_of(&f, (*env)->FindClass(env, "java/util/concurrent/atomic/AtomicLong"), "value");
	f.thread_seed = offset_of(&f, thread, "threadLocalRandomSeed");
	if ((*jvmti)->GetLoadedClasses(jvmti, &n, &list) == JVMTI_ERROR_NONE)
		for (jint i = 0; i < n; i++) {
			look_at_class(&f, list[i]);
			(*env)->DeleteLocalRef(env, list[i]);
		}
	(*jvmti)->Deallocate(jvmti, (unsigned char *)list);
	add_each(&f, thread, true);
}
