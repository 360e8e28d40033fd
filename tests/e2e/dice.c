/* SPDX-License-Identifier: MIT */
/* Prints random numbers of OpenSSL, of two threads that have both drawn some before the hook. */
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>

#include "sdk/c/warm.h"

static pthread_barrier_t before, after;

static void draw(unsigned char bytes[16])
{
	if (RAND_bytes(bytes, 16) != 1)
		perror("RAND_bytes");
}

static void *other(void *arg)
{
	draw(arg);
	pthread_barrier_wait(&before);
	pthread_barrier_wait(&after);
	draw(arg);
	return NULL;
}

int main(void)
{
	unsigned char drawn[2][16];
	pthread_t thread;

	pthread_barrier_init(&before, NULL, 2);
	pthread_barrier_init(&after, NULL, 2);
	draw(drawn[0]);
	pthread_create(&thread, NULL, other, drawn[1]);
	pthread_barrier_wait(&before);
	if (warm_ready(0) < 0)
		return 1;
	draw(drawn[0]);
	pthread_barrier_wait(&after);
	pthread_join(thread, NULL);
	for (int t = 0; t < 2; t++) {
		for (int i = 0; i < 16; i++)
			printf("%02x", drawn[t][i]);
		putchar('\n');
	}
	return 0;
}
