/* SPDX-License-Identifier: MIT */
/*
 * What Java's generators of random numbers start from is every clone's own, where somebody in the program has made a
 * list of it (sdk/java/stop/seeds.c). The list leads to words in which the Java machine keeps track of the objects.
 */
#include <stdlib.h>

#include "plugins/jvm/jvm.h"

#define LIBRARY   "/warm-java-collect.so"
#define SEEDS_MAX 100000
#define TAGS      3u /* of a reference */
#define LEN_MAX   4096

struct seed { /* as there */
	uint64_t reference, offset, len;
};

uint64_t seeds_look(struct warm_snapshot *s, pid_t pid)
{
	uint64_t library = tables_library(pid, LIBRARY);

	return library ? tables_symbol(s, library, "warm_java_seeds") : 0;
}

int seeds_random(struct warm_snapshot *s, const struct heap *heap, uint64_t list)
{
	uint64_t n = read_word(s, list);
	struct seed *seed = n && n <= SEEDS_MAX ? malloc(n * sizeof(*seed)) : NULL;
	int ret = 0;

	if (!seed || s->read(s, read_word(s, list + sizeof(n)), seed, n * sizeof(*seed)))
		n = 0;
	if (n && heap_moves(s, heap))
		ret = s->refuse(s, "garbage is being collected just now");
	for (uint64_t i = 0; i < n && ret == 0; i++) {
		uint64_t object = read_word(s, seed[i].reference & ~(uint64_t)TAGS), at = object + seed[i].offset;

		if (object && seed[i].len <= LEN_MAX) /* else it is no more */
			s->random(s, at, at + seed[i].len);
	}
	free(seed);
	return ret;
}
