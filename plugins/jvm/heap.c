/* SPDX-License-Identifier: MIT */
/*
 * Memory of a Java heap above the last object: once used, and given back by a collection, it still has its pages.
 * HotSpot expects nothing of what is there: it clears the memory of each object that it makes. So clones may have
 * zeroes there.
 *
 *     G1       regions, one after the other:    [bottom ... objects ... top ... nothing ... end]
 *     Serial   eden, two survivors, the old generation, each:    the same
 *
 * An allocation moves `top` first and writes then, but for two cases, and so nothing is said where either might be: a
 * collection that is under way, which builds objects above `top`; and the filler behind a humongous object of G1, which
 * is written before its region's top is set - by a thread inside the machine (_thread_in_vm), or by the thread that
 * collects ("VM Thread"), after a collection. That one must be waiting.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "plugins/jvm/jvm.h"

#define UNKNOWN     UINT64_MAX
#define THREADS_MAX 100000
#define REGIONS_MAX (1u << 20)
#define FLAGS_MAX   10000
#define WORD        8u
#define QUIET_MS    100

enum kind { HEAP_G1, HEAP_SERIAL };

struct heap {
	pid_t pid, collector;
	enum kind kind;
	int32_t in_native, in_java, blocked; /* JavaThreadState */

	/* Addresses of static fields, offsets of the others. */
	uint64_t heap, collecting, reserved, region_start, region_words;
	uint64_t threads, threads_n, threads_list, thread_state;
	uint64_t flags, flags_n, flag_name, flag_value;
	uint64_t manager, regions, regions_base, regions_n, region_bottom, region_top, region_end;
	uint64_t young, old, eden, from, to, tenured, space_bottom, space_top, space_end;
};

/* ---- while it runs ----------------------------------------------------------------------------------------------- */

static bool find_fields(struct warm_snapshot *s, uint64_t machine, struct heap *h)
{
	const struct table_field fields[] = {
	        {"Universe", "_collectedHeap", "CollectedHeap*", &h->heap},
	        {"CollectedHeap", "_is_gc_active", "bool", &h->collecting},
	        {"CollectedHeap", "_is_stw_gc_active", "bool", &h->collecting}, /* JDK 23 */
	        {"CollectedHeap", "_reserved", "MemRegion", &h->reserved},
	        {"MemRegion", "_start", "HeapWord*", &h->region_start},
	        {"MemRegion", "_word_size", "size_t", &h->region_words},
	        {"ThreadsSMRSupport", "_java_thread_list", "ThreadsList*", &h->threads},
	        {"ThreadsList", "_length", "const uint", &h->threads_n},
	        {"ThreadsList", "_threads", "JavaThread *const *const", &h->threads_list},
	        {"JavaThread", "_thread_state", "JavaThreadState", &h->thread_state},
	        {"JVMFlag", "flags", "JVMFlag*", &h->flags},
	        {"JVMFlag", "numFlags", "size_t", &h->flags_n},
	        {"JVMFlag", "_name", "const char*", &h->flag_name},
	        {"JVMFlag", "_addr", "", &h->flag_value},
	        {"G1CollectedHeap", "_hrm", "HeapRegionManager", &h->manager},
	        {"G1CollectedHeap", "_hrm", "G1HeapRegionManager", &h->manager}, /* JDK 23 */
	        {"HeapRegionManager", "_regions", "G1HeapRegionTable", &h->regions},
	        {"G1HeapRegionManager", "_regions", "G1HeapRegionTable", &h->regions},
	        {"G1HeapRegionTable", "_base", "address", &h->regions_base},
	        {"G1HeapRegionTable", "_length", "size_t", &h->regions_n},
	        {"HeapRegion", "_bottom", "HeapWord* const", &h->region_bottom},
	        {"HeapRegion", "_top", "HeapWord* volatile", &h->region_top},
	        {"HeapRegion", "_end", "HeapWord* const", &h->region_end},
	        {"G1HeapRegion", "_bottom", "HeapWord* const", &h->region_bottom},
	        {"G1HeapRegion", "_top", "HeapWord* volatile", &h->region_top},
	        {"G1HeapRegion", "_end", "HeapWord* const", &h->region_end},
	        {"GenCollectedHeap", "_young_gen", "Generation*", &h->young},
	        {"GenCollectedHeap", "_old_gen", "Generation*", &h->old},
	        {"SerialHeap", "_young_gen", "DefNewGeneration*", &h->young}, /* JDK 22 */
	        {"SerialHeap", "_old_gen", "TenuredGeneration*", &h->old},
	        {"DefNewGeneration", "_eden_space", "ContiguousSpace*", &h->eden},
	        {"DefNewGeneration", "_from_space", "ContiguousSpace*", &h->from},
	        {"DefNewGeneration", "_to_space", "ContiguousSpace*", &h->to},
	        {"TenuredGeneration", "_the_space", "ContiguousSpace*", &h->tenured},
	        {"Space", "_bottom", "HeapWord*", &h->space_bottom},
	        {"Space", "_end", "HeapWord*", &h->space_end},
	        {"ContiguousSpace", "_bottom", "HeapWord*", &h->space_bottom}, /* JDK 22 */
	        {"ContiguousSpace", "_end", "HeapWord*", &h->space_end},
	        {"ContiguousSpace", "_top", "HeapWord*", &h->space_top},
	};
	const size_t n = sizeof(fields) / sizeof(fields[0]);

	for (size_t i = 0; i < n; i++)
		*fields[i].place = UNKNOWN;
	return tables_fields(s, machine, fields, n);
}

static bool find_states(struct warm_snapshot *s, uint64_t machine, struct heap *h)
{
	const struct table_constant constants[] = {{"_thread_in_native", &h->in_native},
	                                           {"_thread_in_Java", &h->in_java},
	                                           {"_thread_blocked", &h->blocked}};

	return tables_constants(s, machine, constants, sizeof(constants) / sizeof(constants[0]));
}

static bool are_known(const uint64_t *const *field)
{
	for (; *field; field++)
		if (**field == UNKNOWN)
			return false;
	return true;
}

static bool is_complete(const struct heap *h)
{
	const uint64_t *const all[] = {
	        &h->heap,    &h->collecting, &h->reserved,     &h->region_start, &h->region_words,
	        &h->threads, &h->threads_n,  &h->threads_list, &h->thread_state, NULL};
	const uint64_t *const g1[] = {&h->manager,       &h->regions,    &h->regions_base, &h->regions_n,
	                              &h->region_bottom, &h->region_top, &h->region_end,   NULL};
	const uint64_t *const serial[] = {&h->young,   &h->old,          &h->eden,      &h->from,      &h->to,
	                                  &h->tenured, &h->space_bottom, &h->space_top, &h->space_end, NULL};

	return are_known(all) && are_known(h->kind == HEAP_G1 ? g1 : serial);
}

/* -XX:+UseG1GC and the like, given or chosen by the machine itself. */
static bool find_kind(struct warm_snapshot *s, uint64_t machine, struct heap *h)
{
	const uint64_t *const needed[] = {&h->flags, &h->flags_n, &h->flag_name, &h->flag_value, NULL};
	uint64_t at, n, size = tables_size(s, machine, "JVMFlag");
	bool g1 = false, serial = false;

	if (!size || !are_known(needed))
		return false;
	at = read_word(s, h->flags);
	n = read_word(s, h->flags_n);
	for (uint64_t i = 0; i < n && i < FLAGS_MAX; i++, at += size) {
		uint8_t value = 0;
		char name[16];

		if (!read_text(s, read_word(s, at + h->flag_name), name, sizeof(name)) ||
		    (strcmp(name, "UseG1GC") != 0 && strcmp(name, "UseSerialGC") != 0))
			continue;
		if (s->read(s, read_word(s, at + h->flag_value), &value, 1))
			return false;
		*(name[3] == 'G' ? &g1 : &serial) = value == 1;
	}
	h->kind = g1 ? HEAP_G1 : HEAP_SERIAL;
	return g1 != serial;
}

/* The thread that collects. false: there is none, or nobody can say which. */
static bool find_collector(struct heap *h)
{
	char path[64], name[32];
	const struct dirent *e;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)h->pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", (int)h->pid, e->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && strcmp(name, "VM Thread\n") == 0) {
			h->collector = atoi(e->d_name);
			found++;
		}
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return found == 1;
}

/* ---- is it in the middle of something? ----------------------------------------------------------------------------
 */

static bool is_waiting(const struct heap *h)
{
	char path[64], text[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)h->pid, (int)h->collector);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return text[0] >= '0' && text[0] <= '9' && atoi(text) == SYS_futex;
}

bool heap_moves(struct warm_snapshot *s, const struct heap *h)
{
	uint8_t collecting = 1;

	return s->read(s, read_word(s, h->heap) + h->collecting, &collecting, 1) || collecting;
}

/* Nobody is in the middle of an allocation, or of a collection. Where it runs this is true of a moment. */
static bool is_quiet(struct warm_snapshot *s, const struct heap *h, uint64_t heap)
{
	uint64_t threads = read_word(s, h->threads), list = read_word(s, threads + h->threads_list);
	uint8_t collecting = 1;
	uint32_t n = 0;

	if (s->read(s, heap + h->collecting, &collecting, 1) || collecting || !is_waiting(h))
		return false;
	if (s->read(s, threads + h->threads_n, &n, sizeof(n)) || !n || n > THREADS_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		int32_t state;

		if (s->read(s, read_word(s, list + (uint64_t)i * WORD) + h->thread_state, &state, sizeof(state)) ||
		    (state != h->in_native && state != h->in_java && state != h->blocked))
			return false;
	}
	return true;
}

/* A program that has just said that it is ready is about to wait for something. One that goes on and on is stopped
 * wherever it is. */
static void wait_for_quiet(struct warm_snapshot *s, const struct heap *h)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int ms = 0; ms < QUIET_MS && !is_quiet(s, h, read_word(s, h->heap)); ms++)
		nanosleep(&pause, NULL);
}

bool heap_look(struct warm_snapshot *s, pid_t pid, struct heap **ret)
{
	uint64_t machine = tables_machine(pid);
	struct heap *h = machine ? calloc(1, sizeof(*h)) : NULL;

	if (!h)
		return false;
	h->pid = pid;
	*ret = h;
	if (find_fields(s, machine, h) && find_states(s, machine, h) && find_kind(s, machine, h) && is_complete(h) &&
	    find_collector(h)) {
		wait_for_quiet(s, h);
		return true;
	}
	free(h);
	return false;
}

/* ---- once it is stopped ------------------------------------------------------------------------------------------ */

struct free_memory {
	uint64_t start, end; /* of the heap */
	struct {
		uint64_t start, end;
	} * part;
	size_t n, room;
};

static bool add(struct free_memory *m, uint64_t bottom, uint64_t top, uint64_t end)
{
	if (bottom < m->start || top < bottom || end < top || end > m->end || top % WORD)
		return false;
	if (m->n && m->part[m->n - 1].end == top) {
		m->part[m->n - 1].end = end;
		return true;
	}
	if (m->n == m->room) {
		size_t room = m->room * 2 + 64;
		void *more = realloc(m->part, room * sizeof(*m->part));

		if (!more)
			return false;
		m->part = more;
		m->room = room;
	}
	m->part[m->n].start = top;
	m->part[m->n++].end = end;
	return true;
}

static bool add_regions(struct warm_snapshot *s, const struct heap *h, uint64_t heap, struct free_memory *m)
{
	uint64_t table = heap + h->manager + h->regions, base = read_word(s, table + h->regions_base),
	         n = read_word(s, table + h->regions_n), *region;
	bool ok = base && n && n <= REGIONS_MAX;

	region = ok ? malloc(n * sizeof(*region)) : NULL;
	ok = region && s->read(s, base, region, n * sizeof(*region)) == 0;
	for (uint64_t i = 0; ok && i < n; i++)
		if (region[i]) /* else it has never been used */
			ok = add(m, read_word(s, region[i] + h->region_bottom), read_word(s, region[i] + h->region_top),
			         read_word(s, region[i] + h->region_end));
	free(region);
	return ok;
}

static bool add_space(struct warm_snapshot *s, const struct heap *h, uint64_t generation, uint64_t field,
                      struct free_memory *m)
{
	uint64_t space = read_word(s, generation + field);

	return space && add(m, read_word(s, space + h->space_bottom), read_word(s, space + h->space_top),
	                    read_word(s, space + h->space_end));
}

static bool add_spaces(struct warm_snapshot *s, const struct heap *h, uint64_t heap, struct free_memory *m)
{
	uint64_t young = read_word(s, heap + h->young), old = read_word(s, heap + h->old);

	return young && old && add_space(s, h, young, h->eden, m) && add_space(s, h, young, h->from, m) &&
	       add_space(s, h, young, h->to, m) && add_space(s, h, old, h->tenured, m);
}

/* All of it, or, where anything is not as it should be, nothing. */
int heap_unused(struct warm_snapshot *s, const struct heap *h)
{
	uint64_t heap = read_word(s, h->heap);
	struct free_memory m = {.start = read_word(s, heap + h->reserved + h->region_start)};

	m.end = m.start + read_word(s, heap + h->reserved + h->region_words) * WORD;
	if (heap && m.start && is_quiet(s, h, heap) &&
	    (h->kind == HEAP_G1 ? add_regions(s, h, heap, &m) : add_spaces(s, h, heap, &m))) {
		for (size_t i = 0; i < m.n; i++)
			s->unused(s, m.part[i].start, m.part[i].end);
	}
	free(m.part);
	return 0;
}
