/* SPDX-License-Identifier: MIT */
/*
 * V8 keeps 64 numbers of Math.random() drawn ahead and a state for each context, seeded from a generator of the
 * isolate. Both are set anew by V8's own functions, which node exports; a node that has them under another name has
 * none of them here (weak symbols), and Math.random() is replaced in JavaScript instead (lib/random.js).
 */
#include "sdk/node/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "sdk/c/launch.h"

#define WEAK(name) __asm__(name) __attribute__((weak))

extern void *isolate_current(void) WEAK("_ZN2v87Isolate10GetCurrentEv");
extern uintptr_t *isolate_context(void *isolate) WEAK("_ZN2v87Isolate17GetCurrentContextEv");
extern void isolate_interrupt(void *isolate, void (*fn)(void *isolate, void *arg), void *arg)
        WEAK("_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_");
extern void *isolate_generator(void *isolate) WEAK("_ZN2v88internal7Isolate23random_number_generatorEv");
extern void generator_seed(void *generator, int64_t seed) WEAK("_ZN2v84base21RandomNumberGenerator7SetSeedEl");
extern void forget_drawn(uintptr_t context) WEAK("_ZN2v88internal10MathRandom12ResetContextENS0_7ContextE");

struct world {
	void *isolate;
	int64_t seed; /* the next one; written by the main thread, before it asks */
	struct world *next;
};

static struct {
	pthread_mutex_t lock;
	struct world *first;
} worlds = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint32_t random_copies;

static int fill(void *data, size_t len);
static void reseed_world(void *isolate, void *arg);

struct world *random_add_world(void)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world || !random_reaches_v8())
		return world;
	world->isolate = isolate_current();
	pthread_mutex_lock(&worlds.lock);
	world->next = worlds.first;
	worlds.first = world;
	pthread_mutex_unlock(&worlds.lock);
	return world;
}

void random_forget_world(struct world *world)
{
	pthread_mutex_lock(&worlds.lock);
	for (struct world **at = &worlds.first; *at; at = &(*at)->next)
		if (*at == world) {
			*at = world->next;
			break;
		}
	pthread_mutex_unlock(&worlds.lock);
	free(world);
}

bool random_reaches_v8(void)
{
	return isolate_current && isolate_context && isolate_interrupt && isolate_generator && generator_seed &&
	       forget_drawn;
}

int random_reseed(void)
{
	int r = launch_random();

	if (r < 0)
		return r;
	pthread_mutex_lock(&worlds.lock);
	for (struct world *world = worlds.first; world && r == 0; world = world->next) {
		r = fill(&world->seed, sizeof(world->seed));
		if (r == 0 && world->isolate == isolate_current())
			reseed_world(world->isolate, world);
		else if (r == 0)
			isolate_interrupt(world->isolate, reseed_world, world);
	}
	pthread_mutex_unlock(&worlds.lock);
	random_copies++;
	return r;
}

uint32_t *random_watch(void)
{
	const size_t len = 4096;
	uint32_t *word = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (word == MAP_FAILED)
		return NULL;
	if (madvise(word, len, MADV_WIPEONFORK) < 0) {
		munmap(word, len);
		return NULL;
	}
	*word = 1;
	return word;
}

/* In the thread of the isolate. A worker that has ended since took its interrupts with it. */
static void reseed_world(void *isolate, void *arg)
{
	const struct world *world = arg;

	generator_seed(isolate_generator(isolate), world->seed);
	forget_drawn(*isolate_context(isolate));
}

static int fill(void *data, size_t len)
{
	ssize_t n = getrandom(data, len, 0); /* at most 256 bytes: all or nothing */

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}
