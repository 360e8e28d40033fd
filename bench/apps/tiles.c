/* SPDX-License-Identifier: MIT */
/*
 * A function in C, as bench/apps/functions/server.py starts it: tiles NAME, prints "ready", then one call a line, the
 * milliseconds that it takes. What is slow is its start: 24 MiB of tables.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <warm.h>

#define WORDS (3u << 20)

static uint64_t *table;

static int fill(const char *name)
{
	uint64_t x = 1469598103934665603u;

	table = malloc(WORDS * sizeof(*table));
	if (!table)
		return -1;
	for (; *name; name++)
		x = (x ^ (unsigned char)*name) * 1099511628211u;
	for (size_t i = 0; i < WORDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = x;
	}
	return 0;
}

static uint64_t tile(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < WORDS; i += 4096)
		sum = sum * 31 + table[i];
	return sum;
}

int main(int argc, char **argv)
{
	char line[256];

	if (argc != 2 || fill(argv[1]))
		return 1;
	warm_ready(0);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		double ms = strtod(line, NULL);
		struct timespec pause = {(time_t)(ms / 1e3), (long)(ms * 1e6) % 1000000000};
		uint64_t sum = tile();

		nanosleep(&pause, NULL); /* whatever it asks others for */
		printf("%s %016llx\n", argv[1], (unsigned long long)sum);
		fflush(stdout);
	}
	return 0;
}
