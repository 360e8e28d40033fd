/* SPDX-License-Identifier: MIT */
/*
 * What node's own C++ remembers and no interface reaches is found by looking for its value in node's memory: its data
 * and malloc's heap, never V8's. Strings and vectors are as libstdc++ lays them out.
 */
#ifndef WARM_SDK_NODE_STOP_MEMORY_H
#define WARM_SDK_NODE_STOP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_AREAS_MAX 8

struct filling;

struct memory {
	struct {
		uint64_t *start, *end;
	} area[MEMORY_AREAS_MAX];
	size_t n;
	void *pin;
	struct filling *filling; /* malloc'ed */
};

/* Where these areas are now. They do not shrink until memory_fini(), which is to be called in any case. 0 or -errno;
 * -ENOENT: there is no heap that is called so. */
int memory_look(struct memory *ret);
void memory_fini(struct memory *memory);

/* Whether `size` bytes at this address, which may be any number, lie in one of the areas. */
bool memory_has(const struct memory *memory, const void *at, size_t size);

struct cpp_string {
	char *data; /* `local`, or malloc'ed */
	size_t len;
	union {
		size_t capacity;
		char local[16];
	};
};

struct cpp_vector { /* of strings */
	struct cpp_string *begin, *end, *limit;
};

/* Calls fn with every vector of at least one string; all its strings can be read. */
void memory_each_vector(const struct memory *memory, void (*fn)(void *arg, struct cpp_vector *vector), void *arg);

bool cpp_string_is(const struct cpp_string *string, const char *text);
bool cpp_vector_is(const struct cpp_vector *vector, char *const *list, size_t n);

/* Takes out the first string of at least one. */
void cpp_vector_drop_first(struct cpp_vector *vector);

/* Makes it hold these strings. What it held is not freed. 0 or -ENOMEM. */
int cpp_vector_set(struct cpp_vector *vector, char *const *list, size_t n);

#endif
