/* SPDX-License-Identifier: MIT */
/* Somebody else's memory begins where malloc's heap ends, as V8's code does now and then. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP_BYTES (2 << 20)

__attribute__((constructor)) static void put_ceiling(void)
{
	void *first, *end;

	mallopt(M_TRIM_THRESHOLD, 1 << 30); /* nothing is given back */
	mallopt(M_TOP_PAD, HEAP_BYTES);
	first = malloc(100000); /* more than any piece that libc has yet */
	mallopt(M_TOP_PAD, 128 << 10);
	end = sbrk(0);
	if (!first || mmap(end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != end)
		perror("put a ceiling on the heap");
	free(first);
}
