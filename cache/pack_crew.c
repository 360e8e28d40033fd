/* SPDX-License-Identifier: MIT */
#include "cache/pack_crew.h"

#include <errno.h>
#include <stdlib.h>

#define THREADS_MAX 16

static void crew_fail(struct pack_crew *crew, const struct err *err)
{
	pthread_mutex_lock(&crew->lock);
	if (!crew->err.code)
		crew->err = *err;
	atomic_store(&crew->stop, true);
	pthread_cond_broadcast(&crew->turn);
	pthread_mutex_unlock(&crew->lock);
}

static void *crew_member(void *arg)
{
	struct pack_crew *crew = arg;
	void *scratch = calloc(1, crew->scratch_len);
	struct err err = {0};

	if (!scratch) {
		err_sys(&err, ENOMEM, "buffer of %zu bytes", crew->scratch_len);
		crew_fail(crew, &err);
		return NULL;
	}
	while (!atomic_load(&crew->stop)) {
		uint64_t block = atomic_fetch_add(&crew->next, 1);

		if (block >= crew->n_blocks)
			break;
		if (crew->work(crew, scratch, block, &err) < 0) {
			crew_fail(crew, &err);
			break;
		}
	}
	free(scratch);
	return NULL;
}

int pack_crew_run(struct pack_crew *crew, unsigned n_threads, struct err *err)
{
	pthread_t thread[THREADS_MAX];
	unsigned n_started = 0;

	if (n_threads > THREADS_MAX)
		n_threads = THREADS_MAX;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->turn, NULL);
	while (n_started + 1 < n_threads && n_started + 1 < crew->n_blocks) {
		if (pthread_create(&thread[n_started], NULL, crew_member, crew) != 0)
			break;
		n_started++;
	}
	crew_member(crew);
	for (unsigned i = 0; i < n_started; i++)
		pthread_join(thread[i], NULL);
	pthread_cond_destroy(&crew->turn);
	pthread_mutex_destroy(&crew->lock);

	if (crew->err.code && err)
		*err = crew->err;
	return -crew->err.code;
}

int pack_crew_wait(struct pack_crew *crew, uint64_t block)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->turn_of != block && !atomic_load(&crew->stop))
		pthread_cond_wait(&crew->turn, &crew->lock);
	if (crew->turn_of == block)
		return 0;
	pthread_mutex_unlock(&crew->lock);
	return -ECANCELED;
}

void pack_crew_next(struct pack_crew *crew)
{
	crew->turn_of++;
	pthread_cond_broadcast(&crew->turn);
	pthread_mutex_unlock(&crew->lock);
}
