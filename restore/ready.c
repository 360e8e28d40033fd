/* SPDX-License-Identifier: MIT */
#include "restore/ready.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clean.h"
#include "base/fd.h"

#define PAGE       4096u
#define HEAP_BYTES (2u << 20)               /* description and plan of a program with 500 areas */
#define CODE_MAX   (4u << 20)               /* of one library */
#define READY_AT   UINT64_C(0x100000000000) /* where few programs have anything: restore/place.c */

/* Without calls of the kernel for large pieces, which would be new memory each time. */
static void ready_heap(void)
{
	char *heap;

	mallopt(M_MMAP_THRESHOLD, HEAP_BYTES);
	mallopt(M_TRIM_THRESHOLD, 4 * HEAP_BYTES);
	mallopt(M_TOP_PAD, HEAP_BYTES);
	heap = malloc(HEAP_BYTES - PAGE);
	for (size_t at = 0; heap && at < HEAP_BYTES - PAGE; at += PAGE)
		((volatile char *)heap)[at] = 0;
	free(heap);
}

/* What is mapped of files: this program and its libraries, most of which has not run yet. */
static void ready_code(void)
{
	CLEAN(free) char *maps = NULL;
	char *save = NULL;

	if (fd_read_file_at(AT_FDCWD, "/proc/self/maps", 1u << 20, &maps, NULL) < 0)
		return;
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long start, end;
		char perms[8], path[8] = "";

		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %7s", &start, &end, perms, path) < 4 || path[0] != '/' ||
		    perms[0] != 'r' || end - start > CODE_MAX)
			continue;
		if (madvise((void *)start, end - start, MADV_POPULATE_READ) == 0)
			for (; start < end; start += PAGE)
				(void)*(volatile const char *)start;
	}
}

static void *ready_memory(uint64_t at, size_t len, int prot)
{
	void *memory = mmap((void *)at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (memory != (void *)at)
		return NULL;
	for (size_t page = 0; page < len; page += PAGE)
		((volatile char *)memory)[page] = 0;
	return memory;
}

void ready_make(struct place *place)
{
	ready_heap();
	ready_code();
	if (ready_memory(READY_AT, READY_ARENA, PROT_READ | PROT_WRITE | PROT_EXEC) &&
	    ready_memory(READY_AT + ARENA_ROOM, PACK_BLOCK_BYTES, PROT_READ | PROT_WRITE))
		place->ready = READY_AT;
}
