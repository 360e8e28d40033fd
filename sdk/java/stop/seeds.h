/* SPDX-License-Identifier: MIT */
/*
 * What Java's generators of random numbers start from, for the plugin `jvm` (plugins/jvm/seeds.c): each clone has other
 * numbers there. Objects move, so what is said is where the Java machine itself keeps track of each: a weak reference.
 */
#ifndef WARM_SDK_JAVA_STOP_SEEDS_H
#define WARM_SDK_JAVA_STOP_SEEDS_H

#include <jvmti.h>
#include <stdint.h>

struct seed {
	uint64_t reference; /* jweak: but for its lowest bits the address of the word that leads to the object, or 0 */
	uint64_t offset, len; /* of the bytes in it */
};

/* The plugin finds it by its name. */
struct seeds {
	uint64_t n;
	struct seed *list;
};
extern struct seeds warm_java_seeds;

/* Looks for them all, in a thread that is attached. Only classes that are in use are looked at: others seed themselves
 * when they are. */
void seeds_find(JNIEnv *env, jvmtiEnv *jvmti);

#endif
