/* SPDX-License-Identifier: MIT */
/* What the plugin for Java virtual machines (HotSpot) is made of. Private to plugins/jvm/. */
#ifndef WARM_PLUGIN_JVM_H
#define WARM_PLUGIN_JVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugins/warm_plugin.h"

#define FOLDER "/tmp/hsperfdata_"

/* performance.c: each clone has its own performance data. */
int performance_offer(struct warm_snapshot *s, const struct warm_object *object);
int performance_plan(struct warm_plan *p, const struct warm_object *object);

/* ask.c: has the garbage collected, where that can be had. The program runs. */
void ask_to_collect(struct warm_snapshot *s, pid_t pid);

/* heap.c: what of the Java heap is not allocated. Looked for while the program runs; false: this machine is not one
 * that is understood. heap_unused(): once it is stopped. */
struct heap;
bool heap_look(struct warm_snapshot *s, pid_t pid, struct heap **ret);
int heap_unused(struct warm_snapshot *s, const struct heap *heap);
/* Once it is stopped: in the middle of a collection, objects are not where references say. */
bool heap_moves(struct warm_snapshot *s, const struct heap *heap);

/* seeds.c: of its random numbers. seeds_look(): where the list of them is; 0: there is none. seeds_random(): once it is
 * stopped; 0 or WARM_REFUSE. */
uint64_t seeds_look(struct warm_snapshot *s, pid_t pid);
int seeds_random(struct warm_snapshot *s, const struct heap *heap, uint64_t list);

/* tables.c: what HotSpot says of its own insides, for debuggers: tables in libjvm.so (gHotSpotVMStructs and others). */
struct table_field {
	const char *type, *name;
	const char *as;  /* the type that the field must have; "": the table does not say */
	uint64_t *place; /* its offset; where it is static, its address */
};
struct table_constant {
	const char *name;
	int32_t *value;
};

/* Where a library of a process begins, by the end of its path; 0: it has none. And a symbol of it, or 0. */
uint64_t tables_library(pid_t pid, const char *library);
uint64_t tables_symbol(struct warm_snapshot *s, uint64_t library, const char *name);
/* Its Java machine, libjvm.so. */
uint64_t tables_machine(pid_t pid);
/* Fills the places of those fields that there are; leaves the others. false: there is no such table. */
bool tables_fields(struct warm_snapshot *s, uint64_t machine, const struct table_field *field, size_t n);
/* true: all of them are there. */
bool tables_constants(struct warm_snapshot *s, uint64_t machine, const struct table_constant *constant, size_t n);
/* The size of a type; 0: unknown. */
uint64_t tables_size(struct warm_snapshot *s, uint64_t machine, const char *type);

/* 0 where it cannot be read. */
uint64_t read_word(struct warm_snapshot *s, uint64_t address);
bool read_text(struct warm_snapshot *s, uint64_t address, char *text, size_t size);

#endif
