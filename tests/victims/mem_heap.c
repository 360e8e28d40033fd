/* SPDX-License-Identifier: MIT */
/* The heap: break and malloc, in the main and in other arenas; it grows, shrinks and is reused afterwards. */
#include <malloc.h>

#include "victim.h"

#define BLOCKS 20000

static char *block[BLOCKS];
static pthread_barrier_t barrier;

static size_t size_of(int i)
{
	return 8 * (1 + mix(i) % (i % 500 == 0 ? 40000 : 60));
}

static void *arena(void *arg)
{
	int first = *(int *)arg;

	for (int i = first; i < BLOCKS; i += 4) {
		block[i] = malloc(size_of(i));
		CHECK(block[i]);
		fill(block[i], size_of(i), i);
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (int i = first; i < BLOCKS; i += 8) {
		free(block[i]);
		block[i] = malloc(size_of(i) + 64);
		fill(block[i], size_of(i), i);
	}
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void look(void)
{
	for (int i = 0; i < BLOCKS; i++)
		if (!filled(block[i], size_of(i), i))
			FAIL("block %d of %zu bytes", i, size_of(i));
}

int main(void)
{
	int first[4] = {0, 1, 2, 3};
	pthread_t thread[3];
	void *top;
	char *more;

	mallopt(M_TOP_PAD, 1 << 20);
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, arena, &first[i]), 0);
	for (int i = 3; i < BLOCKS; i += 4) {
		block[i] = malloc(size_of(i));
		fill(block[i], size_of(i), i);
	}
	pthread_barrier_wait(&barrier);
	heap_room();
	top = sbrk(0);
	hook();

	CHECK(sbrk(0) == top);
	look();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	look();
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < BLOCKS; i += 2)
		free(block[i]);
	malloc_trim(0);
	more = sbrk(0);
	CHECK(sbrk(1 << 20) == more);
	CHECK(is_zero(more, 1 << 20));
	memset(more, 1, 1 << 20);
	for (int i = 1; i < BLOCKS; i += 2)
		CHECK(filled(block[i], size_of(i), i));
	return pass();
}
