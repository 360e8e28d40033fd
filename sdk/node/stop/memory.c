/* SPDX-License-Identifier: MIT */
#include "sdk/node/stop/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"

#define MAPS_MAX      (8u << 20)
#define PIN_BYTES     4096
#define FILLING_BYTES 65536 /* less than malloc would map by itself */
#define FILLINGS_MAX  4096
#define STRINGS_MAX   4096 /* in one vector: what is longer is none */

/* ---- areas ------------------------------------------------------------------------------------------------------- */

static bool add_area(struct memory *memory, uint64_t start, uint64_t end)
{
	if (memory->n == MEMORY_AREAS_MAX)
		return false;
	memory->area[memory->n].start = (uint64_t *)(uintptr_t)start;
	memory->area[memory->n].end = (uint64_t *)(uintptr_t)end;
	memory->n++;
	return true;
}

/* node is one program, or a small one with a library. */
static bool is_node(const char *path, const char *exe)
{
	const char *slash = strrchr(path, '/');

	return strcmp(path, exe) == 0 || (slash && strncmp(slash, "/libnode.so", 11) == 0);
}

struct filling {
	struct filling *next;
	char rest[FILLING_BYTES];
};

/*
 * V8's code may lie where the heap ends. Then nothing is taken behind it, but all that malloc still has there: once it
 * goes on elsewhere, it has forgotten that end.
 */
static int fill(struct memory *memory)
{
	for (int i = 0; i < FILLINGS_MAX; i++) {
		struct filling *filling = malloc(sizeof(*filling));

		if (!filling)
			return -ENOMEM;
		filling->next = memory->filling;
		memory->filling = filling;
		if ((char *)filling >= (char *)sbrk(0))
			return 0;
	}
	return -E2BIG;
}

/* malloc gives back the end of its heap only where nobody else has taken memory behind it. */
static int pin(struct memory *memory)
{
	memory->n = 0;
	memory->filling = NULL;
	memory->pin = sbrk(PIN_BYTES);
	if (memory->pin != (void *)-1)
		return 0;
	memory->pin = NULL;
	return fill(memory);
}

void memory_fini(struct memory *memory)
{
	if (memory->pin && sbrk(0) == (char *)memory->pin + PIN_BYTES)
		sbrk(-PIN_BYTES);
	memory->pin = NULL;
	while (memory->filling) {
		struct filling *filling = memory->filling;

		memory->filling = filling->next;
		free(filling);
	}
}

static int look(struct memory *ret)
{
	CLEAN(free) char *text = NULL;
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int r = len < 0 ? -errno : fd_read_file_at(AT_FDCWD, "/proc/self/maps", MAPS_MAX, &text, NULL);
	uint64_t data_end = 0; /* what begins there without a name is the program's bss */
	bool heap = false;
	char *save = NULL;

	if (r < 0)
		return r;
	exe[len] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t start, end;
		char mode[5];
		int name = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %n", &start, &end, mode, &name) < 3 || !name)
			continue;
		const bool ours = is_node(line + name, exe), is_heap = strcmp(line + name, "[heap]") == 0;

		if (memcmp(mode, "rw", 2) == 0 && (ours || is_heap || (!line[name] && start == data_end)) &&
		    !add_area(ret, start, end))
			return -E2BIG;
		if (ours)
			data_end = end;
		heap |= is_heap;
	}
	return heap ? 0 : -ENOENT;
}

int memory_look(struct memory *ret)
{
	int r = pin(ret);

	return r < 0 ? r : look(ret);
}

bool memory_has(const struct memory *memory, const void *at, size_t size)
{
	for (size_t i = 0; i < memory->n; i++) {
		const char *start = (const char *)memory->area[i].start, *end = (const char *)memory->area[i].end;

		if ((const char *)at >= start && (const char *)at < end && size <= (size_t)(end - (const char *)at))
			return true;
	}
	return false;
}

/* ---- strings and vectors ----------------------------------------------------------------------------------------- */

static bool is_string(const struct memory *memory, const struct cpp_string *string)
{
	if (string->data == string->local)
		return string->len < sizeof(string->local);
	return string->len <= string->capacity && memory_has(memory, string->data, string->len + 1) &&
	       string->data[string->len] == '\0';
}

static bool is_vector(const struct memory *memory, const struct cpp_vector *vector)
{
	const uintptr_t begin = (uintptr_t)vector->begin, end = (uintptr_t)vector->end;
	const uintptr_t limit = (uintptr_t)vector->limit, size = end - begin;

	if (begin >= end || end > limit || begin % sizeof(void *) || size % sizeof(*vector->begin) ||
	    (limit - begin) % sizeof(*vector->begin) || size > STRINGS_MAX * sizeof(*vector->begin) ||
	    !memory_has(memory, vector->begin, size))
		return false;
	for (const struct cpp_string *string = vector->begin; string < vector->end; string++) {
		if (!is_string(memory, string))
			return false;
	}
	return true;
}

void memory_each_vector(const struct memory *memory, void (*fn)(void *arg, struct cpp_vector *vector), void *arg)
{
	for (size_t i = 0; i < memory->n; i++) {
		for (uint64_t *at = memory->area[i].start; at + 3 <= memory->area[i].end; at++) {
			struct cpp_vector *vector = (struct cpp_vector *)(void *)at;

			if (is_vector(memory, vector))
				fn(arg, vector);
		}
	}
}

bool cpp_string_is(const struct cpp_string *string, const char *text)
{
	size_t len = strlen(text);

	return string->len == len && memcmp(string->data, text, len) == 0;
}

bool cpp_vector_is(const struct cpp_vector *vector, char *const *list, size_t n)
{
	bool same = (size_t)(vector->end - vector->begin) == n;

	for (size_t i = 0; same && i < n; i++)
		same = cpp_string_is(vector->begin + i, list[i]);
	return same;
}

void cpp_vector_drop_first(struct cpp_vector *vector)
{
	if (vector->begin->data != vector->begin->local)
		free(vector->begin->data);
	for (struct cpp_string *to = vector->begin; to + 1 < vector->end; to++) {
		const bool local = to[1].data == to[1].local;

		*to = to[1];
		if (local)
			to->data = to->local;
	}
	vector->end--;
}

/* 0 or -ENOMEM. */
static int set_string(struct cpp_string *string, const char *text)
{
	string->len = strlen(text);
	string->data = string->local;
	if (string->len >= sizeof(string->local)) {
		string->data = malloc(string->len + 1);
		string->capacity = string->len;
	}
	if (!string->data)
		return -ENOMEM;
	memcpy(string->data, text, string->len + 1);
	return 0;
}

int cpp_vector_set(struct cpp_vector *vector, char *const *list, size_t n)
{
	struct cpp_string *strings = n ? malloc(n * sizeof(*strings)) : NULL;

	if (n && !strings)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (set_string(strings + i, list[i]))
			return -ENOMEM;
	}
	vector->begin = strings;
	vector->end = vector->limit = strings + n;
	return 0;
}
