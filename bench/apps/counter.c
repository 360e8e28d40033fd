/* SPDX-License-Identifier: MIT */
/*
 * counter: a native program with the hook, as short as it can be. It reads a configuration, sieves a table of primes
 * (slow, and the same for every launch), and answers how many primes there are between two numbers.
 *
 *     counter CONFIGURATION [--own N] FROM TO
 *
 * One byte is printed as soon as it could work; --own answers N times, each time in a fork, and prints how many
 * microseconds the 20th answer took there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <warm.h>

#define OWN_CALLS 20

static unsigned limit;
static unsigned *count; /* of the primes up to the index */

static int read_configuration(const char *path)
{
	char line[256];
	FILE *file = fopen(path, "re");

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "limit ", 6))
			limit = (unsigned)strtoul(line + 6, NULL, 10);
	fclose(file);
	return limit >= 2 ? 0 : -1;
}

static int sieve(void)
{
	char *composite = calloc(limit + 1, 1);

	count = calloc(limit + 1, sizeof(*count));
	if (!composite || !count) {
		free(composite);
		return -1;
	}
	for (unsigned i = 2; i <= limit; i++) {
		count[i] = count[i - 1] + !composite[i];
		for (unsigned long k = (unsigned long)i * i; !composite[i] && k <= limit; k += i)
			composite[k] = 1;
	}
	free(composite);
	return 0;
}

static unsigned bound(const char *text)
{
	unsigned long value = strtoul(text, NULL, 10);

	return value < limit ? (unsigned)value : limit;
}

static void answer(int fd, char **argv)
{
	unsigned from = bound(argv[0]), to = bound(argv[1]);

	dprintf(fd, "%u\n", to < from ? 0 : count[to] - (from ? count[from - 1] : 0));
}

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int measure_forks(unsigned long n, char **argv)
{
	FILE *null = fopen("/dev/null", "we");

	for (; null && n; n--) {
		pid_t pid = fork();
		long took = 0;

		for (int i = 0; !pid && i < OWN_CALLS; i++) {
			long began = now_ns();

			answer(fileno(null), argv);
			took = now_ns() - began;
		}
		if (!pid) {
			dprintf(1, "%.3f\n", (double)took / 1000);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) < 0)
			return 1;
	}
	return null ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *configuration = argc > 1 ? argv[1] : "";

	if (read_configuration(configuration) || sieve()) {
		fprintf(stderr, "counter: no usable configuration: %s\n", configuration);
		return 1;
	}
	warm_depends(configuration);
	warm_ready(WARM_ARGV | WARM_CWD);

	argc = warm_argc();
	argv = warm_argv();
	if (argc < 2 || strcmp(argv[1], configuration) != 0) {
		fprintf(stderr, "counter: another configuration than the one that was read: %s\n", argv[1]);
		return 1;
	}
	if (argc == 6 && !strcmp(argv[2], "--own"))
		return measure_forks(strtoul(argv[3], NULL, 10), argv + 4);
	if (argc != 4) {
		fprintf(stderr, "usage: counter CONFIGURATION [--own N] FROM TO\n");
		return 2;
	}
	if (write(1, "r", 1) != 1)
		return 1;
	answer(1, argv + 2);
	return 0;
}
