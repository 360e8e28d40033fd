/* SPDX-License-Identifier: MIT */
/*
 * native: a program in C with the hook. It fills $NATIVE_MIB MiB of memory, starts four threads that wait for work, and
 * answers a request: a checksum over a twentieth of its pages, in pieces of four, scattered but the same for each
 * request; of ten of them one is written to.
 *
 *     native [--own | --hold | --serve SOCKET] NUMBER
 *
 * One byte is printed as soon as it could work. --hold waits behind the answer until it is killed. --own reads lines:
 * for each it forks, and prints how many microseconds the 20th answer took there. --serve is a fork server: see
 * forked.h.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <warm.h>

#include "forked.h"

#define PAGE      4096
#define PIECE     4 /* pages */
#define PART      20
#define THREADS   4
#define OWN_CALLS 20

static uint64_t (*page)[PAGE / sizeof(uint64_t)];
static size_t n_pages;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;

static void *wait_for_work(void *arg)
{
	pthread_mutex_lock(&lock);
	for (;;)
		pthread_cond_wait(&work, &lock);
	return arg;
}

static uint64_t mixed(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

/* Half of each word is zero: data that compresses, but not to nothing. */
static int fill(size_t mib)
{
	n_pages = mib * 1048576 / PAGE;
	page = mmap(NULL, n_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || !n_pages)
		return -1;
	for (size_t i = 0; i < n_pages; i++) {
		uint64_t x = mixed(i + 1);

		for (size_t k = 0; k < PAGE / sizeof(uint64_t); k++)
			page[i][k] = (x += 0x9e3779b97f4a7c15u) >> 32;
	}
	return 0;
}

static void answer(int fd, const char *number)
{
	uint64_t sum = strtoul(number, NULL, 10), n_used = 0;

	for (size_t piece = 0; piece < n_pages / PIECE; piece++) {
		if (mixed(piece) % PART)
			continue;
		for (size_t i = piece * PIECE; i < (piece + 1) * PIECE; i++) {
			sum = sum * 31 + page[i][1];
			if (n_used++ % 10 == 0)
				page[i][0]++;
		}
	}
	dprintf(fd, "%llu of %llu pages\n", (unsigned long long)sum, (unsigned long long)n_used);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int own(const char *number)
{
	FILE *null = fopen("/dev/null", "we");
	char line[256];

	while (null && fgets(line, sizeof(line), stdin)) {
		pid_t pid = fork();
		double took = 0;

		for (int i = 0; !pid && i < OWN_CALLS; i++) {
			double began = now_us();

			answer(fileno(null), number);
			took = now_us() - began;
		}
		if (!pid) {
			dprintf(1, "%.1f\n", took);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) < 0)
			return 1;
	}
	return null ? 0 : 1;
}

static int launch(int argc, char **argv)
{
	int hold = argc > 2 && !strcmp(argv[1], "--hold");

	if (argc != 2 + hold) {
		fprintf(stderr, "usage: native [--own | --hold | --serve SOCKET] NUMBER\n");
		return 2;
	}
	if (write(1, "r", 1) != 1)
		return 1;
	answer(1, argv[1 + hold]);
	if (hold) {
		dprintf(1, "\n"); /* an empty line: the answer is complete */
		pause();
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *mib = getenv("NATIVE_MIB");
	pthread_t thread;

	if (!mib || fill(strtoul(mib, NULL, 10))) {
		fprintf(stderr, "native: NATIVE_MIB=%s: no such memory\n", mib ? mib : "");
		return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread, NULL, wait_for_work, NULL) != 0)
			return 1;
	}
	warm_ready(WARM_ARGV | WARM_CWD);

	argc = warm_argc();
	argv = warm_argv();
	if (argc == 3 && !strcmp(argv[1], "--own"))
		return own(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "--serve"))
		return serve_forked(argv[2], launch);
	return launch(argc, argv);
}
