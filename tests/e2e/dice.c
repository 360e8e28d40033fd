/* SPDX-License-Identifier: MIT */
/* Prints random numbers of OpenSSL, of two threads that have both drawn some before the hook. With an argument, it
 * calls no hook: it says "ready" and waits for a line. Built with DICE_LATE it finds OpenSSL by itself, as modules of
 * languages do. */
#include <dlfcn.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>

#include "sdk/c/warm.h"

static pthread_barrier_t before, after;
#ifdef DICE_LATE
static int (*draw_bytes)(unsigned char *bytes, int n);
#else
static int (*const draw_bytes)(unsigned char *bytes, int n) = RAND_bytes;
#endif

static void draw(unsigned char bytes[16])
{
	if (draw_bytes(bytes, 16) != 1)
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

static int wait_for_line(void)
{
	puts("ready");
	fflush(stdout);
	return getchar() == EOF ? -1 : 0;
}

int main(int argc, char **argv)
{
	unsigned char drawn[2][16];
	pthread_t thread;

	(void)argv;
#ifdef DICE_LATE
	void *library = dlopen("libcrypto.so.3", RTLD_NOW);

	*(void **)&draw_bytes = library ? dlsym(library, "RAND_bytes") : NULL;
	if (!draw_bytes)
		return 1;
#endif
	pthread_barrier_init(&before, NULL, 2);
	pthread_barrier_init(&after, NULL, 2);
	draw(drawn[0]);
	pthread_create(&thread, NULL, other, drawn[1]);
	pthread_barrier_wait(&before);
	if ((argc > 1 ? wait_for_line() : warm_ready(0)) < 0)
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
